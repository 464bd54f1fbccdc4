"""Copies of workflows: the text with its new name and folder in it, and the files beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.samples.changes import File, workflow_path
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import Subscription, load_subscriptions, write_file
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.planning import one_file
from windlass_runner.commands.sample_sources import release_of
from windlass_runner.commands.subscribing import check_name, folder_path, git, refuse_overwriting, write_lock
from windlass_runner.commands.workflow_files import load_file
from windlass_runner.upkeep.merging import merge_with_git
from windlass_runner.upkeep.sample_updates import rendered_again

_NAME: Final = re.compile(
    r"""^name:[ \t]*("[^"\n]*"|'[^'\n]*'|[^\s#"'][^\n#]*?(?=[ \t]*(#|$)))""", re.MULTILINE
)


def copy_workflow(workflow: str, name: str, folder: str | None, invocation: Invocation) -> list[str]:
    """Write the copy of a workflow; gives the paths.

    Raises:
        AuthorError: there is no such workflow, or something is there already.
        OperatorError: the name cannot be one, or this is no repository.
    """
    check_name(name)
    root = repository_root(invocation.folder)
    if root is None:
        raise OperatorError("this is not a git repository", remedy="go to the folder of one")
    found = one_file(workflow, invocation.folder)
    text = load_file(found)
    one = next(
        (
            each
            for each in load_subscriptions(root).values()
            if workflow_path(each.name) == found.name_in_root
        ),
        None,
    )
    if one is None:
        if folder is not None:
            raise OperatorError(f"'{workflow}' has no folder of its own", remedy="leave --folder out")
        files = {workflow_path(name): File(content=_renamed(text, name))}
    else:
        target = folder_path(folder or name)
        files = _beside(root, one, target, invocation)
        files[workflow_path(name)] = File(content=_moved(text, one, name, target, invocation))
    refuse_overwriting(root, files, remedy="choose another name")
    for path, file in files.items():
        write_file(root, path, file.content, is_executable=file.is_executable)
    write_lock(root, invocation)
    return sorted(files)


def _beside(root: Path, one: Subscription, target: str, invocation: Invocation) -> dict[str, File]:
    """All files of the subscription's folder that git does not ignore: those that were added to it, too."""
    listed = git(invocation).work_tree(
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", one.folder], root
    )
    found: dict[str, File] = {}
    for path in sorted({*listed.decode(errors="surrogateescape").split("\0"), *one.files}):
        place = root / path
        inside = path.startswith(f"{one.folder}/")
        if inside and place.is_file() and not place.is_symlink():
            is_executable = bool(place.stat().st_mode & 0o100)
            name = f"{target}/{path.removeprefix(f'{one.folder}/')}"
            found[name] = File(content=place.read_bytes(), is_executable=is_executable)
    return found


def _moved(text: bytes, one: Subscription, name: str, target: str, invocation: Invocation) -> bytes:
    """The workflow as the sample would have been filled in for the new name and folder, with the edits that
    were made here; where that cannot be said any more, by the words themselves."""
    path = workflow_path(one.name)

    def find_release() -> SampleRelease:
        return release_of(one.sample, one.version, invocation)

    old = rendered_again(one, find_release)
    new = rendered_again(one, find_release, name=name, folder=target)
    if path in old and workflow_path(name) in new:
        merge = merge_with_git(git(invocation), labels=("yours", "the sample", "the copy"))
        merged = merge(text, old[path].content, new[workflow_path(name)].content)
        if not merged.conflicts:
            return merged.content
    pattern = re.compile(rb"(?<![\w./-])" + re.escape(one.folder.encode()) + rb"/")
    return _renamed(pattern.sub(lambda _: f"{target}/".encode(), text), name)


def _renamed(text: bytes, name: str) -> bytes:
    """With that name on the first line that gives one."""
    try:
        return _NAME.sub(f"name: {name}", text.decode(), count=1).encode()
    except UnicodeDecodeError as error:
        problem = Problem(path=name, line=0, column=0, message="the workflow is no UTF-8 text")
        raise AuthorError(problem) from error
