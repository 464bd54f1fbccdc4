"""Puts checks on commits as commit statuses: what a personal token may, without being an App.

https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import Check, CheckState, CommitStatus, NotYet
from windlass_runner.forges.commit_statuses import web_address
from windlass_runner.forges.github.checks import cut_line
from windlass_runner.forges.github.client import Client

_MOST_COMMITS: Final = 500
_LONGEST_DESCRIPTION: Final = 140
_LONGEST_CONTEXT: Final = 255
_STATES: Final[Mapping[CheckState, str]] = {
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
Body = dict[str, Any]


def to_status(check: Check) -> Body:
    """A check as the body of a request."""
    return {
        "state": _STATES[check.state],
        "context": cut_line(check.name, _LONGEST_CONTEXT),
        "description": cut_line(check.title, _LONGEST_DESCRIPTION),
        "target_url": web_address(check.url),
    }


class Statuses:
    """The commit statuses of one repository. One `post` at a time."""

    def __init__(self) -> None:
        self._commits: OrderedDict[str, dict[str, Body]] = OrderedDict()

    def post(self, client: Client, repository: str, status: CommitStatus) -> None:
        """Bring the commit's statuses to what `status` says. What begins or ends goes first."""
        try:
            known = self._known(client, repository, status.sha)
            bodies = [to_status(check) for check in status.checks]
            for body in sorted(bodies, key=lambda body: not _is_urgent(body, known)):
                if known.get(body["context"]) != body:
                    path = f"/repos/{repository}/statuses/{status.sha}"
                    client.write("POST", path, body, is_urgent=_is_urgent(body, known))
                    known[body["context"]] = body
        except NotYet:
            raise
        except UpstreamError:
            self._commits.pop(status.sha, None)
            raise

    def _known(self, client: Client, repository: str, sha: str) -> dict[str, Body]:
        """The newest status of each context."""
        known = self._commits.get(sha)
        if known is None:
            known = {}
            for found in client.pages(f"/repos/{repository}/commits/{sha}/statuses", query={}):
                body = {name: found.get(name) for name in ("state", "context", "description", "target_url")}
                known.setdefault(found["context"], {**body, "description": body["description"] or ""})
            self._commits[sha] = known
            if len(self._commits) > _MOST_COMMITS:
                self._commits.popitem(last=False)
        self._commits.move_to_end(sha)
        return known


def _is_urgent(body: Body, known: Mapping[str, Body]) -> bool:
    """Whether it begins or ends something; else it only tells of progress."""
    return bool(known.get(body["context"], {}).get("state") != body["state"])
