"""Who may do what in a repository on GitHub, and how its pull requests stand."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.github import deliveries
from windlass_runner.forges.github.client import Client, NotFound
from windlass_runner.workflow.events import Event

_WRITERS: Final = frozenset({"admin", "write"})
"""What `permission` says of those who may write (`maintain` is told as `write`):
https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""


def may_write(client: Client, repository: str, login: str) -> bool:
    """Whether that person may write to `owner/name`. Who is not known there may not."""
    try:
        found = client.request("GET", f"/repos/{quote(repository)}/collaborators/{quote(login)}/permission")
    except NotFound:
        client.request("GET", f"/repos/{quote(repository)}")  # not there itself? That is another matter
        return False
    return isinstance(found, dict) and found.get("permission") in _WRITERS


def fetch_pull_request(client: Client, repository: str, number: int) -> Event:
    """A pull request of `owner/name` as it stands."""
    found = client.request("GET", f"/repos/{quote(repository)}/pulls/{number}")
    if not isinstance(found, dict):
        raise UpstreamError(f"GitHub gave no pull request {number}")
    return deliveries.pull_request_event(found, repository=repository)
