"""GitHub as a forge: whose credentials serve a repository, how it is called today, what it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import (
    Command,
    CommitStatus,
    ParsedDelivery,
    Proposal,
    PullRequestComment,
)
from windlass_runner.forges.git_login import Login
from windlass_runner.forges.github import deliveries
from windlass_runner.forges.github.access import Access, Account
from windlass_runner.forges.github.app_tokens import NotInstalled
from windlass_runner.forges.github.check_runs import CheckRuns
from windlass_runner.forges.github.client import Client, CommitUnknown, Moved, NotFound
from windlass_runner.forges.github.comments import Comments, reply
from windlass_runner.forges.github.deployments import Deployments
from windlass_runner.forges.github.missed import MissedDelivery, fetch_delivery, fetch_missed
from windlass_runner.forges.github.people import (
    PullRequests,
    fetch_comments,
    fetch_pull_request,
    fetch_pull_requests,
    may_write,
)
from windlass_runner.forges.github.pull_requests import open_pull_request
from windlass_runner.forges.github.statuses import Statuses
from windlass_runner.workflow.events import Event

__all__ = ["Account", "GitHub", "HostedRepository"]
T = TypeVar("T")
log = logging.getLogger("windlass_runner.github")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(kw_only=True)
class _Place:
    """One watched repository. `current` is its name at GitHub as last heard, and `number` GitHub's own of
    it; None: not asked yet."""

    name: str
    access: Access
    poster: CheckRuns | Statuses
    comments: Comments = field(default_factory=Comments)
    deployments: Deployments = field(default_factory=Deployments)
    refused: str | None = None
    """Why the last comment could not be posted."""
    untold: str | None = None
    """Why the last deployment could not be told."""
    current: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedRepository:
    """A repository on GitHub. `name` is `owner/name`."""

    url: str
    name: str
    account: Account = field(repr=False)


class GitHub:
    """Implements `forges.base.Forge` with check runs, or with commit statuses where there is only a
    personal token. `wait` sleeps; `clock` gives seconds since 1970."""

    name = "github"

    def __init__(
        self,
        repositories: Collection[HostedRepository],
        *,
        clock: Callable[[], float],
        wait: Callable[[float], object],
        timeout_s: int = 15,
    ) -> None:
        accounts = {repository.account.name: repository.account for repository in repositories}
        access = {
            name: Access(account, clock=clock, wait=wait, timeout_s=timeout_s)
            for name, account in accounts.items()
        }
        self._apps = {name: access[name] for name, account in accounts.items() if account.app_id is not None}
        self._places = {
            repository.url: _Place(
                name=repository.name,
                access=access[repository.account.name],
                poster=Statuses()
                if repository.account.app_id is None
                else CheckRuns(app_id=repository.account.app_id, clock=clock, wait=wait),
            )
            for repository in repositories
        }
        for account in accounts.values():
            if account.app_id is None:
                log.info("%s is a personal token: commit statuses stand in for check runs", account.name)

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """See the contract."""
        return deliveries.parse_delivery(headers, body, secrets)

    def post(self, status: CommitStatus) -> None:
        """See the contract. A repository that was renamed or given away is followed."""
        if not status.checks:
            return
        place = self._places[status.repository]
        try:
            self._at(place, lambda client, name: place.poster.post(client, name, status))
        except CommitUnknown as error:
            log.warning("commit %s of %s is not at GitHub: %s", status.sha, place.name, error)
            return
        if status.deployments:
            self._tell_deployments(place, status)
        for comment in status.comments:
            self._comment(place, comment)

    def _tell_deployments(self, place: _Place, status: CommitStatus) -> None:
        """Without the permission for it, checks alone tell of deployments."""
        try:
            self._at(place, lambda client, name: place.deployments.post(client, name, status))
            place.untold = None
        except OperatorError as error:
            if str(error) != place.untold:  # once, not with each turn of each run
                log.warning("deployments of %s are not told to GitHub: %s", place.name, error)
            place.untold = str(error)

    def _comment(self, place: _Place, comment: PullRequestComment) -> None:
        """A comment that may not be (a locked conversation, a permission that lacks) holds up nothing."""
        try:
            login = place.access.login()
            self._at(place, lambda client, name: place.comments.post(client, name, comment, login=login))
            place.refused = None
        except OperatorError as error:
            log.warning("no comment on %s#%s: %s", place.name, comment.number, error)
            place.refused = f"no comment on #{comment.number}: {error}"

    def refused_comments(self) -> dict[str, str]:
        """Why the last comment in a repository could not be posted, by the repository's address."""
        return {url: place.refused for url, place in self._places.items() if place.refused is not None}

    def may_write(self, repository: str, login: str) -> bool:
        """See `forges.base.Asked`."""
        return self._at(self._places[repository], lambda client, name: may_write(client, name, login))

    def fetch_pull_request(self, repository: str, number: int) -> Event:
        """See `forges.base.Asked`."""
        event = self._at(
            self._places[repository], lambda client, name: fetch_pull_request(client, name, number)
        )
        return replace(event, repository=repository)

    def reply(self, repository: str, number: int, text: str, *, key: str) -> None:
        """See `forges.base.Asked`."""
        place = self._places[repository]
        self._at(place, lambda client, name: reply(client, name, number, text, key=key))

    def fetch_pull_requests(
        self, repository: str, *, etag: str | None, whole: bool = False
    ) -> PullRequests | None:
        """Its open pull requests, where they have changed since `etag`; see `people`."""
        found = self._at(
            self._places[repository],
            lambda client, name: fetch_pull_requests(client, name, etag=etag, whole=whole),
        )
        if found is None:
            return None
        return replace(found, events=tuple(replace(event, repository=repository) for event in found.events))

    def fetch_comments(
        self, repository: str, number: int, *, since: str
    ) -> tuple[tuple[int, tuple[Command, ...]], ...]:
        """What comments on a pull request ask for that were written since; see `people`."""
        place = self._places[repository]
        return self._at(place, lambda client, name: fetch_comments(client, name, number, since=since))

    def open_pull_request(self, repository: str, proposal: Proposal) -> str:
        """The page of the pull request from a branch that was pushed there; see `pull_requests`."""
        place = self._places[repository]
        return self._at(place, lambda client, name: open_pull_request(client, name, proposal))

    @property
    def apps(self) -> tuple[str, ...]:
        """The credentials that are GitHub Apps."""
        return tuple(self._apps)

    def fetch_missed(self, app: str, *, since: float) -> Iterator[MissedDelivery]:
        """The App's webhooks that did not reach us; see `missed`."""
        return fetch_missed(self._apps[app].own, since=since)

    def fetch_delivery(self, app: str, missed: MissedDelivery) -> tuple[Mapping[str, str], bytes] | None:
        """What one of them said; see `missed`."""
        return fetch_delivery(self._apps[app].own, missed)

    def _at(self, place: _Place, call: Callable[[Client, str], T]) -> T:
        """Make a call under the repository's name of today; once more where it has another by now."""
        try:
            return self._call(place, call)
        except (Moved, NotFound, NotInstalled):
            place.access.forget(place.current or place.name)
            place.current = None
            return self._call(place, call)

    def _call(self, place: _Place, call: Callable[[Client, str], T]) -> T:
        client = place.access.client(place.current or place.name)
        if place.current is None:
            place.current, place.number = self._current_name(client, place.name)
        return call(client, place.current)

    def address_of(self, number: int) -> str | None:
        """The address of the watched repository that has GitHub's number, however it is called now; None:
        none, or it was not asked for yet."""
        return next((url for url, place in self._places.items() if place.number == number), None)

    def _current_name(self, client: Client, name: str) -> tuple[str, int | None]:
        found = client.request("GET", f"/repos/{quote(name)}")
        current = found.get("full_name") if isinstance(found, dict) else None
        if not isinstance(current, str):
            raise UpstreamError("GitHub gave a repository without a name")
        if current.lower() != name.lower():
            log.warning("%s is now %s; change its name and address in the settings", name, current)
        number = found.get("id")
        return current, number if isinstance(number, int) else None

    def git_login(self, url: str) -> Login | None:
        """What opens one of the repositories to git; None: git's own means.

        A token goes only to the host of its own GitHub, and never in the clear over a network.
        """
        place = self._places.get(url)
        if place is None:
            return None
        address, api = urlsplit(url), urlsplit(place.access.account.api_url)
        is_safe = address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
        if not is_safe or api.hostname not in (address.hostname, f"api.{address.hostname}"):
            return None
        token = place.access.client(place.current or place.name).token()
        return Login(user="x-access-token", password=token)
