"""Gitea and Forgejo as a forge: commit statuses out, and what can be asked of them.

Source: https://docs.gitea.com/api and the server's own /swagger.v1.json.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import (
    BadDelivery,
    Check,
    CheckState,
    CommitStatus,
    ParsedDelivery,
    Proposal,
)
from windlass_runner.forges.comments import is_reply, reply_body
from windlass_runner.forges.commit_statuses import Recent, Status, to_status, web_address
from windlass_runner.forges.gitea.deliveries import parse_delivery, parse_pull_request
from windlass_runner.forges.json_api import JsonApi, Refused, page_of_proposal
from windlass_runner.forges.payload import Payload
from windlass_runner.workflow.events import Event

log = logging.getLogger("windlass_runner.gitea")
STATES: Final[Mapping[CheckState, str]] = {
    "queued": "pending",
    "waiting": "pending",
    "running": "pending",
    "success": "success",
    "neutral": "success",
    "skipped": "success",
    "failure": "failure",
    "timed_out": "failure",
    "cancelled": "error",
}
"""`warning` and (since 1.25) `skipped` exist, but do not satisfy a required check everywhere, as our
neutral and skipped ones are to."""
_PAGE: Final = 50
_MOST_PAGES: Final = 100
_WRITERS: Final = frozenset(["write", "admin", "owner"])


class Gitea:
    """Implements `forges.base.Forge` and `Asked` on one server.

    `name_of` gives a repository's `owner/name` by its address.
    """

    name = "gitea"

    def __init__(self, *, api_url: str, token: Callable[[], str], name_of: Callable[[str], str]) -> None:
        self._api = JsonApi(api_url, authorize=lambda: {"Authorization": f"token {token()}"})
        self._name_of = name_of
        self._known: Recent[dict[str, Status]] = Recent()

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """See the contract."""
        return parse_delivery(headers, body, secrets)

    def post(self, status: CommitStatus) -> None:
        """Post what has changed: the server keeps each status that is posted, and shows it in a history. A
        commit that is not there any more gets none."""
        path = self._path(status.repository)
        try:
            self._post(path, status)
        except Refused as error:
            if error.status != 404:
                raise
            self._api.fetch(path)  # is it the repository that is not there?
            log.warning("commit %s is not at Gitea: %s", status.sha, error.message)

    def _post(self, path: str, status: CommitStatus) -> None:
        known = self._known.get(
            status.repository, status.sha, load=lambda: self._fetch_statuses(path, status.sha)
        )
        for wanted in (*(to_status(check, STATES) for check in status.checks), *_deployed(status)):
            if known.get(wanted.name) == wanted:
                continue
            body = {"context": wanted.name, "state": wanted.state, "description": wanted.description}
            if wanted.url is not None:
                body["target_url"] = wanted.url
            self._api.post(f"{path}/statuses/{status.sha}", body)
            known[wanted.name] = wanted

    def may_write(self, repository: str, login: str) -> bool:
        """See the contract. The token's owner must be an administrator of the repository to ask that."""
        path = f"{self._path(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            answer = self._api.fetch(path)
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return answer.get("permission") in _WRITERS

    def fetch_pull_request(self, repository: str, number: int) -> Event:
        """See the contract."""
        answer = self._api.fetch(f"{self._path(repository)}/pulls/{number}")
        try:
            pull = Payload({"pull_request": answer})
            author = pull.object("pull_request").object_or_none("user")
            return parse_pull_request(
                pull.object("pull_request"),
                repository=repository,
                action="synchronize",
                actor=(author.word_or_none("login") or "") if author is not None else "",
                body=pull,
            )
        except BadDelivery as error:
            raise UpstreamError(
                f"{self._api.url} tells too little of pull request {number}: {error}"
            ) from error

    def reply(self, repository: str, number: int, text: str, *, key: str) -> None:
        """See the contract."""
        path = f"{self._path(repository)}/issues/{number}/comments"
        if not any(is_reply(found.get("body"), key) for found in self._api.fetch_list(path)):
            self._api.post(path, {"body": reply_body(text, key)})

    def open_pull_request(self, repository: str, proposal: Proposal) -> str:
        """See `forges.base.Proposing`."""
        path = f"{self._path(repository)}/pulls"
        body = {
            "head": proposal.branch,
            "base": proposal.base,
            "title": proposal.title,
            "body": proposal.text,
        }
        try:
            found = self._api.create(path, body)
        except Refused as error:
            if error.status != 409:
                raise
            found = self._api.fetch(f"{path}/{quote(proposal.base, safe='')}/{quote(proposal.branch)}")
        return page_of_proposal(found, "html_url", self._api.url)

    def _path(self, repository: str) -> str:
        return "/repos/" + "/".join(quote(part, safe="") for part in self._name_of(repository).split("/"))

    def _fetch_statuses(self, path: str, sha: str) -> dict[str, Status]:
        """The newest status of each name. A server may give fewer a page than we ask for, and not say so: the
        last page is the one that is empty."""
        found: dict[str, Status] = {}
        for page in range(1, _MOST_PAGES + 1):
            combined = self._api.fetch(f"{path}/commits/{sha}/status", {"page": page, "limit": _PAGE})
            statuses = combined.get("statuses")
            items = statuses if isinstance(statuses, list) else []
            news = [_read(item) for item in items if isinstance(item, dict)]
            if not news or all(status.name in found for status in news):
                break
            found.update((status.name, status) for status in news)
        return found


def _deployed(status: CommitStatus) -> Iterator[Status]:
    """Of each environment the newest deployment, with a link to what was deployed. Gitea has no others."""
    newest = {one.environment: one for one in status.deployments}
    for one in newest.values():
        state: CheckState = "success" if one.state == "inactive" else one.state
        told = "another deployment took its place" if one.state == "inactive" else one.description
        check = Check(
            name=f"deployment: {one.environment}",
            external_id=one.run,
            state=state,
            title=told or one.state.replace("_", " "),
            url=web_address(one.environment_url) or web_address(one.log_url),
        )
        yield to_status(check, STATES)


def _read(data: Mapping[str, Any]) -> Status:
    return Status(
        name=str(data.get("context") or ""),
        state=str(data.get("status") or ""),
        description=str(data.get("description") or ""),
        url=data.get("target_url") or None,
    )
