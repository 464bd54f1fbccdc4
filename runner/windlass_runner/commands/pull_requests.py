"""Opens a pull request at the forge of a remote, with the credentials of the daemon's settings."""

from __future__ import annotations

from argparse import Namespace

from windlass_registry.errors import OperatorError
from windlass_runner.commands.context import load
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.pull_request_pages import host_and_path
from windlass_runner.forges.base import Proposal


def open_pull_request(remote: str, proposal: Proposal, arguments: Namespace, invocation: Invocation) -> str:
    """Its page. One that is open already for that branch is taken.

    Raises:
        OperatorError: the settings have no credentials for the repository, or the forge refuses.
        UpstreamError: the forge does not answer.
    """
    from windlass_runner.daemon.forges import Forges

    _, name = host_and_path(remote)
    settings = load(arguments, invocation)
    found = next(
        (each for each in settings.repositories if name and each.name.lower() == name.lower()),
        None,
    )
    forge = Forges(settings, invocation.environment).proposing(found.url) if found is not None else None
    if found is None or forge is None:
        raise OperatorError(
            f"no credentials for '{name or remote}' in the settings: the branch is pushed, and no "
            "pull request was opened",
            remedy="open it in a browser, or name settings that watch that repository with --config",
        )
    return forge.open_pull_request(found.url, proposal)
