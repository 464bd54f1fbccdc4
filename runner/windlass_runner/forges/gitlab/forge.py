"""GitLab as a forge: commit statuses and deployments out, and what can be asked of it.

Source: https://docs.gitlab.com/api/commits/, `members`, `merge_requests` and `users` beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import BadDelivery, CheckState, CommitStatus, ParsedDelivery, Proposal
from windlass_runner.forges.comments import is_reply, reply_body
from windlass_runner.forges.commit_statuses import Recent, Status, to_status
from windlass_runner.forges.gitlab.deliveries import is_fork, parse_delivery
from windlass_runner.forges.gitlab.deployments import Deployments
from windlass_runner.forges.json_api import JsonApi, Refused, page_of_proposal
from windlass_runner.forges.payload import Payload
from windlass_runner.workflow.events import Event

log = logging.getLogger("windlass_runner.gitlab")
STATES: Final[Mapping[CheckState, str]] = {
    "queued": "pending",
    "waiting": "pending",
    "running": "running",
    "success": "success",
    "neutral": "success",
    "skipped": "success",
    "failure": "failed",
    "timed_out": "failed",
    "cancelled": "canceled",
}
"""`skipped` exists on newer servers, but a merge request whose pipelines must succeed hangs with it."""
_UNFINISHED: Final = frozenset(["pending", "running"])
_PAGE: Final = 100
_MOST_PAGES: Final = 100
_DEVELOPER: Final = 30
"""Who may push: https://docs.gitlab.com/api/members/#roles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What is known of a commit: the ref to which its statuses belong, if any has it, and those statuses."""

    ref: str | None
    statuses: dict[str, Status]


class GitLab:
    """Implements `forges.base.Forge` and `Asked` on one server.

    `name_of` gives a project's whole path (`group/subgroup/name`) by its address.
    """

    name = "gitlab"

    def __init__(self, *, api_url: str, token: Callable[[], str], name_of: Callable[[str], str]) -> None:
        self._api = JsonApi(api_url, authorize=lambda: {"Authorization": f"Bearer {token()}"})
        self._name_of = name_of
        self._known: Recent[_Commit] = Recent()
        self._deployments = Deployments(self._api)
        self._untold: dict[str, str] = {}
        """Why deployments could not be told, by repository: said once."""

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """See the contract."""
        return parse_delivery(headers, body, secrets)

    def post(self, status: CommitStatus) -> None:
        """Post what has changed. A commit that is not there any more gets no status."""
        path = self._path(status.repository)
        try:
            self._post(path, status)
        except Refused as error:
            self._known.forget(status.repository, status.sha)
            if error.status != 404:
                raise
            self._api.fetch(path)  # is it the project that is not there?
            log.warning("commit %s is not at GitLab: %s", status.sha, error.message)

    def _post(self, path: str, status: CommitStatus) -> None:
        commit = self._known.get(
            status.repository, status.sha, load=lambda: self._fetch_commit(path, status.sha)
        )
        if commit.ref is None:
            log.warning("commit %s is on no branch, tag or merge request at GitLab", status.sha)
            return
        for wanted in (to_status(check, STATES) for check in status.checks):
            if _is_change(commit.statuses.get(wanted.name), wanted):
                self._set_status(f"{path}/statuses/{status.sha}", wanted, commit.ref)
                commit.statuses[wanted.name] = wanted
        try:
            self._deployments.post(path, status)
            self._untold.pop(status.repository, None)
        except OperatorError as error:  # without the right to it, statuses alone tell of deployments
            if self._untold.get(status.repository) != str(error):
                log.warning("deployments of %s are not told to GitLab: %s", status.repository, error)
            self._untold[status.repository] = str(error)

    def may_write(self, repository: str, login: str) -> bool:
        """See the contract."""
        people = self._api.fetch_list("/users", {"username": login})
        number = people[0].get("id") if len(people) == 1 else None
        if not isinstance(number, int):
            return False
        try:
            member = self._api.fetch(f"{self._path(repository)}/members/all/{number}")
        except Refused as error:
            if error.status == 404:
                return False
            raise
        level = member.get("access_level")
        return isinstance(level, int) and level >= _DEVELOPER

    def fetch_pull_request(self, repository: str, number: int) -> Event:
        """See the contract."""
        answer = self._api.fetch(f"{self._path(repository)}/merge_requests/{number}")
        try:
            body = Payload({"object_attributes": answer})
            request = body.object("object_attributes")
            author = request.object_or_none("author")
            return Event(
                kind="pull_request",
                repository=repository,
                action="synchronize",
                number=number,
                ref=_request_ref(number),
                sha=request.commit("sha"),
                head_ref=request.word("source_branch"),
                base_ref=request.word("target_branch"),
                is_fork=is_fork(request),
                actor=(author.word_or_none("username") or "") if author is not None else "",
                payload=body.data,
            )
        except BadDelivery as error:
            raise UpstreamError(
                f"{self._api.url} tells too little of merge request {number}: {error}"
            ) from error

    def reply(self, repository: str, number: int, text: str, *, key: str) -> None:
        """See the contract. Looked for among the newest."""
        path = f"{self._path(repository)}/merge_requests/{number}/notes"
        newest = self._api.fetch_list(path, {"sort": "desc", "per_page": _PAGE})
        if not any(is_reply(note.get("body"), key) for note in newest):
            self._api.post(path, {"body": reply_body(text, key)})

    def open_pull_request(self, repository: str, proposal: Proposal) -> str:
        """See `forges.base.Proposing`."""
        path = f"{self._path(repository)}/merge_requests"
        branches = {"source_branch": proposal.branch, "target_branch": proposal.base}
        for found in self._api.fetch_list(path, {"state": "opened", **branches}):
            return page_of_proposal(found, "web_url", self._api.url)
        body = {**branches, "title": proposal.title, "description": proposal.text}
        return page_of_proposal(self._api.create(path, body), "web_url", self._api.url)

    def _path(self, repository: str) -> str:
        return "/projects/" + quote(self._name_of(repository), safe="")

    def _set_status(self, path: str, wanted: Status, ref: str) -> None:
        body = {
            "state": wanted.state,
            "name": wanted.name,
            "description": wanted.description,
            "ref": ref,
            **({"target_url": wanted.url} if wanted.url is not None else {}),
        }
        try:
            self._api.post(path, body)
        except Refused as error:
            # it stands there already, or what is done does not go back to be waited for
            if not (error.status == 400 and error.reason.startswith("Cannot transition status")):
                raise

    def _fetch_commit(self, path: str, sha: str) -> _Commit:
        commit = f"{path}/repository/commits/{sha}"
        ref = self._fetch_ref(commit)
        found: dict[str, tuple[int, Status]] = {}
        for item in self._fetch_statuses(commit, ref) if ref is not None else ():
            number, status = item.get("id"), _read(item)
            if isinstance(number, int) and number > found.get(status.name, (0, status))[0]:
                found[status.name] = (number, status)
        return _Commit(ref=ref, statuses={name: status for name, (_, status) in found.items()})

    def _fetch_ref(self, commit: str) -> str | None:
        """A branch that has the commit, else a tag, else a merge request: where it is told no ref, GitLab
        looks for a branch alone, and a commit of a fork is on none."""
        for kind in ("branch", "tag"):
            refs = self._api.fetch_list(f"{commit}/refs", {"type": kind, "per_page": _PAGE})
            names = sorted(name for ref in refs if isinstance(name := ref.get("name"), str))
            if names:
                return names[0]
        requests = self._api.fetch_list(f"{commit}/merge_requests", {"per_page": _PAGE})
        numbers = [number for request in requests if isinstance(number := request.get("iid"), int)]
        return _request_ref(max(numbers)) if numbers else None

    def _fetch_statuses(self, commit: str, ref: str) -> Iterator[dict[str, Any]]:
        """All pages of them: https://docs.gitlab.com/api/rest/#offset-based-pagination."""
        for page in range(1, _MOST_PAGES + 1):
            items = self._api.fetch_list(f"{commit}/statuses", {"ref": ref, "page": page, "per_page": _PAGE})
            yield from items
            if len(items) < _PAGE:
                return


def _request_ref(number: int) -> str:
    return f"refs/merge-requests/{number}/head"


def _is_change(known: Status | None, wanted: Status) -> bool:
    """GitLab refuses a status that is to stay unfinished in the same way, whatever else it would say."""
    if known is not None and known.state == wanted.state and wanted.state in _UNFINISHED:
        return False
    return known != wanted


def _read(data: Mapping[str, Any]) -> Status:
    return Status(
        name=str(data.get("name") or ""),
        state=str(data.get("status") or ""),
        description=str(data.get("description") or ""),
        url=data.get("target_url") or None,
    )
