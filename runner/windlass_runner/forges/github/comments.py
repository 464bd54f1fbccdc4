"""One comment on each pull request that tells how its newest commit stands: edited, never repeated. And
answers to what people asked for in comments.

The one is found again by a hidden line among the comments that are our own, so that nobody else's is ever
taken for it. Used by `forge`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import NotYet, PullRequestComment
from windlass_runner.forges.comments import is_reply, reply_body
from windlass_runner.forges.github.checks import cut_text
from windlass_runner.forges.github.client import Client, Json, NotFound

MARKER: Final = "<!-- windlass:checks -->"
_MOST_KNOWN: Final = 500
_LONGEST_BYTES: Final = 65_000
"""With the hidden line it is below the 65,536 characters that GitHub takes."""


@dataclass(frozen=True, slots=True)
class _Posted:
    id: int
    body: str


class Comments:
    """Those of one repository. One `post` at a time."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Posted] = OrderedDict()

    def post(self, client: Client, repository: str, comment: PullRequestComment, *, login: str) -> None:
        """Bring the pull request's comment to that text. `repository` is its name at GitHub now, `login`
        who writes there. One that somebody has deleted is made anew."""
        body = f"{MARKER}\n{cut_text(comment.text, limit_bytes=_LONGEST_BYTES)}"
        try:
            self._post(client, repository, comment.number, body, login=login)
        except NotYet:
            raise
        except UpstreamError:
            self._known.pop(comment.number, None)
            raise

    def _post(self, client: Client, repository: str, number: int, body: str, *, login: str) -> None:
        posted = self._known.get(number) or _find(client, repository, number, login)
        try:
            if posted is None:
                path = f"/repos/{repository}/issues/{number}/comments"
                posted = _Posted(_id(client.write("POST", path, {"body": body}, is_urgent=False)), body)
            elif posted.body != body:
                path = f"/repos/{repository}/issues/comments/{posted.id}"
                client.write("PATCH", path, {"body": body}, is_urgent=False)
                posted = _Posted(posted.id, body)
        except NotFound:
            if self._known.pop(number, None) is None:
                raise
            raise NotYet(f"the comment on #{number} is gone", retry_after_s=0.0) from None
        self._known[number] = posted
        self._known.move_to_end(number)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def reply(client: Client, repository: str, number: int, text: str, *, key: str) -> None:
    """Comment on a pull request where no comment with that key stands there yet."""
    path = f"/repos/{repository}/issues/{number}/comments"
    if not any(is_reply(found.get("body"), key) for found in client.pages(path, query={})):
        client.write("POST", path, {"body": reply_body(text, key)})


def _find(client: Client, repository: str, number: int, login: str) -> _Posted | None:
    """The oldest of ours."""
    for found in client.pages(f"/repos/{repository}/issues/{number}/comments", query={}):
        body, user = found.get("body") or "", found.get("user") or {}
        if user.get("login") == login and body.startswith(MARKER):
            return _Posted(_id(found), body)
    return None


def _id(comment: Json) -> int:
    number = comment.get("id") if isinstance(comment, dict) else None
    if not isinstance(number, int):
        raise UpstreamError("GitHub gave a comment without a number")
    return number
