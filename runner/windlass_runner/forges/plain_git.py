"""The forge for repositories that have none: pushes told by a post-receive hook, status as git notes.

A delivery is what `windlass hook`'s script sends: JSON with `repository`, and either `ref`, `before`
and `after` or a list of such under `updates`, signed with HMAC-SHA-256 over the body as it is
(the scheme of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from windlass_runner.forges.base import BadDelivery, CommitStatus, ParsedDelivery
from windlass_runner.forges.git import Git
from windlass_runner.forges.local_refs import local_path
from windlass_runner.forges.notes import NOTES_REF
from windlass_runner.forges.signatures import check_signature
from windlass_runner.workflow.events import NO_COMMIT, Event

SIGNATURE_HEADERS: Final = ("x-windlass-signature-256", "x-hub-signature-256")
DELIVERY_HEADER: Final = "x-windlass-delivery"
_WATCHED: Final = ("refs/heads/", "refs/tags/")
_OBJECT_NAME: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


def is_watched(ref: str) -> bool:
    """Whether a push to that ref can start something: branches and tags, so never our own notes."""
    return ref.startswith(_WATCHED)


class PlainGit:
    """Implements `forges.base.Forge` with nothing but git.

    `write_through_mirror(repository, sha, text)` writes a note in our mirror and pushes it.
    """

    name = "git"

    def __init__(self, *, git: Git, write_through_mirror: Callable[[str, str, str], object]) -> None:
        self._git = git
        self._write_through_mirror = write_through_mirror

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """See the contract."""
        return parse_delivery(headers, body, secrets)

    def post(self, status: CommitStatus) -> None:
        """Write the note: into a repository on this machine at once, else through the mirror."""
        beside = local_path(status.repository)
        if beside is not None:
            self._git.write_note(beside, NOTES_REF, status.sha, status.note, owner=owner_of(beside))
            return
        self._write_through_mirror(status.repository, status.sha, status.note)


def owner_of(repository: Path) -> tuple[int, int] | None:
    """As whom to write: as the repository's owner where we are root, or they could not push any more."""
    if os.geteuid() != 0:
        return None
    found = repository.stat()
    return (found.st_uid, found.st_gid) if found.st_uid != 0 else None


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> ParsedDelivery:
    """A hook's delivery as events. Raises BadSignature or BadDelivery."""
    given = next((headers[name] for name in SIGNATURE_HEADERS if name in headers), None)
    check_signature(given, body, secrets)
    data = _document(body)
    repository = _word(data, "repository")
    updates = data.get("updates", [data])
    if not isinstance(updates, list) or not all(isinstance(update, dict) for update in updates):
        raise BadDelivery("'updates' must be a list of {ref, before, after}")
    actor = data.get("pusher") if isinstance(data.get("pusher"), str) else ""
    events = tuple(_event(update, repository, actor=str(actor)) for update in updates)
    return ParsedDelivery(
        id=_delivery_id(headers, data, body),
        kind="push",
        repository=repository,
        events=tuple(event for event in events if event.ref and is_watched(event.ref)),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadDelivery("the body is not whole JSON") from error
    if not isinstance(data, dict):
        raise BadDelivery("the body must be a JSON object")
    return data


def _delivery_id(headers: Mapping[str, str], data: Mapping[str, Any], body: bytes) -> str:
    """The id inside the signed body goes before the header's, which anybody on the way could change."""
    inside = data.get("delivery")
    if isinstance(inside, str) and 0 < len(inside) <= 128:
        return f"git:{inside}"
    outside = headers.get(DELIVERY_HEADER, "")
    if 0 < len(outside) <= 128:
        return f"git:{outside}"
    return f"git:{hashlib.sha256(body).hexdigest()}"


def _event(update: Mapping[str, Any], repository: str, *, actor: str) -> Event:
    after = _word(update, "after")
    before = update.get("before") or NO_COMMIT
    if not isinstance(before, str) or not all(map(_OBJECT_NAME.match, (before, after))):
        raise BadDelivery("'before' and 'after' must be full commit names")
    return Event(
        kind="push",
        repository=repository,
        ref=_word(update, "ref"),
        sha=after,
        before=None if before.strip("0") == "" else before,
        actor=actor,
    )


def _word(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadDelivery(f"'{key}' is missing or not text")
    return value
