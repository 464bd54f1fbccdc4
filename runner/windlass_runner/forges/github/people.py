"""Who may do what in a repository on GitHub, and how its pull requests stand."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import BadDelivery, Command
from windlass_runner.forges.github import deliveries
from windlass_runner.forges.github.client import Client, NotFound
from windlass_runner.workflow.events import Event

log = logging.getLogger("windlass_runner.github")
_PAGE: Final = 100
_WRITERS: Final = frozenset({"admin", "write"})
"""What `permission` says of those who may write (`maintain` is told as `write`):
https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequests:
    """Open pull requests as they stand, each as the event of its newest commit. `is_whole`: there are no
    others. `etag`: by which GitHub knows whether that has changed since."""

    events: tuple[Event, ...]
    is_whole: bool
    etag: str | None


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


def fetch_pull_requests(
    client: Client, repository: str, *, etag: str | None, whole: bool
) -> PullRequests | None:
    """The open pull requests of `owner/name`, where they have changed since `etag`: all of them, or (not
    `whole`) those that changed last."""
    path = f"/repos/{quote(repository)}/pulls"
    query = {"state": "open", "sort": "updated", "direction": "desc"}
    read = client.read_if_changed(path, query={**query, "per_page": _PAGE}, etag=etag)
    if read is None:
        return None
    pulls, is_whole = read.found, read.is_whole
    if not isinstance(pulls, list):
        raise UpstreamError("GitHub gave no list of pull requests")
    if whole and not is_whole:
        pulls, is_whole = list(client.pages(path, query=query)), True
    found = (_event_or_none(pull, repository) for pull in pulls)
    events = tuple(event for event in found if event is not None)
    return PullRequests(events=events, is_whole=is_whole, etag=read.etag)


def fetch_comments(
    client: Client, repository: str, number: int, *, since: str
) -> tuple[tuple[int, tuple[Command, ...]], ...]:
    """The comments on a pull request that were written at `since` (as GitHub writes a time) or later and ask
    for something: the number of each, and what it asks for."""
    path = f"/repos/{quote(repository)}/issues/{number}/comments"
    found = []
    for comment in client.pages(path, query={"since": since}):  # edited ones are among them
        if isinstance(comment, dict) and str(comment.get("created_at") or "") >= since:
            commands = _commands_or_none(comment, repository, number)
            if commands and isinstance(comment.get("id"), int):
                found.append((comment["id"], commands))
    return tuple(found)


def _commands_or_none(comment: Any, repository: str, number: int) -> tuple[Command, ...]:
    try:
        return deliveries.comment_commands(comment, repository=repository, number=number)
    except BadDelivery as error:
        log.warning("a comment on %s#%s cannot be read: %s", repository, number, error)
        return ()


def _event_or_none(pull: Any, repository: str) -> Event | None:
    """One that cannot be read holds up no other."""
    try:
        return deliveries.pull_request_event(pull, repository=repository)
    except BadDelivery as error:
        log.warning("a pull request of %s cannot be read: %s", repository, error)
        return None
