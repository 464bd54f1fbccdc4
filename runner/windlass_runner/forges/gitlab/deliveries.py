"""GitLab's webhooks as events and commands. Pure: no I/O, and who sent it before anything else.

Source: https://docs.gitlab.com/user/project/integrations/webhooks/ and `webhook_events` beside it. A merge
request is a `pull_request` here, with GitHub's names of activities. Which files a push changed is told of its
newest commits alone, and whether it was forced not at all: so nothing of that is taken from it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from windlass_runner.forges.base import BadSignature, Command, ParsedDelivery
from windlass_runner.forges.comments import parse_comment
from windlass_runner.forges.payload import Payload, header_word, parse_payload
from windlass_runner.workflow.events import NO_COMMIT, Event

_SHARED_HEADER: Final = "x-gitlab-token"
_SIGNATURE_HEADER: Final = "webhook-signature"
_ID_HEADER: Final = "webhook-id"
_TIME_HEADER: Final = "webhook-timestamp"
_KEY_HEADER: Final = "idempotency-key"
_CAUSE_HEADER: Final = "x-gitlab-event-uuid"
_SIGNING_PREFIX: Final = "whsec_"
_BRANCHES: Final = "refs/heads/"
_ACTIVITIES: Final = {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "closed"}
_EDITED: Final = ("title", "description", "target_branch")

_Read = tuple[Event | Command, ...]


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> ParsedDelivery:
    """A delivery from whoever knows one of the secrets; `headers` have lower-case names.

    A secret is the webhook's secret token, which is sent along, or its signing token (`whsec_…`), which signs
    by https://www.standardwebhooks.com. How old a signature is does not matter: its id counts once.

    Raises:
        BadSignature, BadDelivery
    """
    check_sender(headers, body, secrets)
    payload = parse_payload(body)
    kind = payload.word_or_none("object_kind") or payload.word_or_none("event_name") or ""
    read = _READERS.get(kind)
    found = read(payload) if read is not None else ()
    project = payload.object_or_none("project")
    return ParsedDelivery(
        id=f"gitlab:{_delivery_id(headers, body)}",
        kind=kind,
        repository=(project.word_or_none("path_with_namespace") or "") if project is not None else "",
        number=project.number_or_none("id") if project is not None else None,
        events=tuple(item for item in found if isinstance(item, Event)),
        commands=tuple(item for item in found if isinstance(item, Command)),
    )


def is_known(kind: str) -> bool:
    """Whether deliveries of that kind are read at all."""
    return kind in _READERS


def check_sender(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> None:
    """Whether who sent it knows one of the secrets; one that is signed has to be signed right, whatever token
    comes along. Raises BadSignature."""
    signature, token = headers.get(_SIGNATURE_HEADER), headers.get(_SHARED_HEADER)
    if signature is not None:
        signed = b".".join((_raw(headers.get(_ID_HEADER)), _raw(headers.get(_TIME_HEADER)), body))
        keys = [key for secret in secrets if (key := _signing_key(secret))]
        made = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in keys]
        told = [_raw(word.removeprefix("v1,")) for word in signature.split() if word.startswith("v1,")]
        fits = [hmac.compare_digest(one, other) for one in told for other in made]
        if not any(fits):
            raise BadSignature("the signature does not fit the body")
        return
    if token is None:
        raise BadSignature("the delivery brings neither token nor signature")
    plain = [secret.encode() for secret in secrets if secret and not secret.startswith(_SIGNING_PREFIX)]
    fits = [hmac.compare_digest(_raw(token), secret) for secret in plain]
    if not any(fits):
        raise BadSignature("the token is not the webhook's")


def _raw(header: str | None) -> bytes:
    return (header or "").encode("utf-8", "surrogatepass")


def _signing_key(secret: str) -> bytes | None:
    """The key of a signing token; None for any other secret."""
    if not secret.startswith(_SIGNING_PREFIX):
        return None
    try:
        return base64.b64decode(secret.removeprefix(_SIGNING_PREFIX), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """What stays the same when GitLab tries again. `X-Gitlab-Webhook-UUID` does not, and
    `X-Gitlab-Event-UUID` is the same for all that one event set off. Servers before 17.4 send no key: what
    they send again is the same body for the same event."""
    if _ID_HEADER in headers:
        return header_word(headers, _ID_HEADER)
    if _KEY_HEADER in headers:
        return header_word(headers, _KEY_HEADER)
    return hashlib.sha256(_raw(headers.get(_CAUSE_HEADER)) + b"\n" + body).hexdigest()


def _push(payload: Payload) -> _Read:
    """GitLab tells of a ref that is made or removed by its push alone, GitHub by an event beside it."""
    ref, before, after = payload.word("ref"), payload.commit_or_none("before"), payload.commit("after")
    push = _event(
        payload,
        "push",
        ref=ref,
        sha=after,
        before=None if before == NO_COMMIT else before,
        actor=_pusher(payload),
    )
    if push.is_deletion:
        branch = payload.object("project").word_or_none("default_branch")
        if branch is None or ref == _BRANCHES + branch:
            return (push,)
        return (push, _event(payload, "delete", ref=_BRANCHES + branch, actor=push.actor))
    if push.is_creation:
        return (push, _event(payload, "create", ref=ref, actor=push.actor))
    return (push,)


def _pusher(payload: Payload) -> str:
    return payload.word_or_none("user_username") or payload.word_or_none("user_name") or ""


def _merge_request(payload: Payload) -> _Read:
    request = payload.object("object_attributes")
    action = _activity(request, payload.object_or_none("changes"))
    head = request.object_or_none("last_commit")
    if action is None or head is None:  # one that was opened before anything was committed has no head
        return ()
    number = request.number("iid")
    event = _event(
        payload,
        "pull_request",
        action=action,
        number=number,
        ref=f"refs/merge-requests/{number}/head",
        sha=head.commit("id"),
        head_ref=request.word("source_branch"),
        base_ref=request.word("target_branch"),
        is_fork=is_fork(request),
        actor=_user(payload),
    )
    return (event,)


def is_fork(request: Payload) -> bool:
    """Whether a merge request comes from another project, or from one that is not told (it was deleted)."""
    source, target = request.data.get("source_project_id"), request.data.get("target_project_id")
    return not isinstance(source, int) or isinstance(source, bool) or source != target


def _activity(request: Payload, changes: Payload | None) -> str | None:
    """GitHub's name of what happened; None for what GitHub tells by another event, or not at all."""
    action = request.word_or_none("action")
    if action is None or action != "update":
        return _ACTIVITIES.get(action or "")
    if request.commit_or_none("oldrev") is not None:
        return "synchronize"
    if changes is None:
        return None
    if labels := changes.object_or_none("labels"):
        return "labeled" if _labels(labels, "current") - _labels(labels, "previous") else "unlabeled"
    if draft := changes.object_or_none("draft"):
        return "converted_to_draft" if draft.data.get("current") is True else "ready_for_review"
    return "edited" if any(name in changes.data for name in _EDITED) else None


def _labels(change: Payload, key: str) -> frozenset[str]:
    labels = change.data.get(key)
    if not isinstance(labels, list):
        return frozenset()
    return frozenset(str(label.get("title")) for label in labels if isinstance(label, dict))


def _note(payload: Payload) -> _Read:
    note = payload.object("object_attributes")
    request = payload.object_or_none("merge_request")
    if request is None or note.data.get("noteable_type") != "MergeRequest" or note.data.get("system") is True:
        return ()
    if not _is_new(note):
        return ()
    return parse_comment(
        note.prose("note"),
        repository=_repository(payload),
        number=request.number("iid"),
        actor=payload.object("user").word("username"),
        said_at=note.moment_or_none("created_at"),
    )


def _is_new(note: Payload) -> bool:
    """Older servers do not say whether a comment was written or changed, but when."""
    action = note.word_or_none("action")
    if action is not None:
        return action == "create"
    return note.data.get("created_at") == note.data.get("updated_at")


def _event(payload: Payload, kind: str, *, sha: str = NO_COMMIT, **fields: Any) -> Event:
    return Event(kind=kind, repository=_repository(payload), sha=sha, payload=payload.data, **fields)


def _repository(payload: Payload) -> str:
    return payload.object("project").word("path_with_namespace")


def _user(payload: Payload) -> str:
    """Who did it; empty where nobody is named."""
    user = payload.object_or_none("user")
    return (user.word_or_none("username") or "") if user is not None else ""


_READERS: Final[Mapping[str, Callable[[Payload], _Read]]] = {
    "push": _push,
    "tag_push": _push,
    "merge_request": _merge_request,
    "note": _note,
}
