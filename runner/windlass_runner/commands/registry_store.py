"""`windlass registry store`: the public files of a registry into a bucket of an S3-compatible store."""

from __future__ import annotations

from argparse import Namespace

from windlass_registry.hosting.folder import open_files
from windlass_registry.hosting.store_settings import STORE, make_store
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import open_folder
from windlass_runner.commands.registry_mirror import tell_progress
from windlass_runner.commands.registry_serving import chosen_folder


def move(arguments: Namespace, invocation: Invocation) -> int:
    """Move them, and say where they are."""
    folder = chosen_folder(arguments, invocation)
    credentials = arguments.credentials
    settings = make_store(
        arguments.target,
        folder=folder,
        endpoint=arguments.endpoint,
        region=arguments.region,
        path_style=arguments.path_style,
        credentials=None if credentials is None else str((invocation.folder / credentials).absolute()),
    )
    open_files(folder, settings)  # says what to install
    from windlass_registry.hosting.moving import move_to_store

    files = move_to_store(open_folder(folder), settings, told=tell_progress(invocation))
    if arguments.json:
        invocation.print_json({"folder": str(folder), "store": settings.url, "files": files})
        return 0
    invocation.print(f"the registry's files lie in {settings.url} now: {files} files")
    invocation.say(
        f"{folder / STORE} says so. Start the registry's server again, if one is running. {folder}/private "
        "stays and is needed;\nwhat else is in the folder is not used any more, and may be removed"
    )
    return 0
