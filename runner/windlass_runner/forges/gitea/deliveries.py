"""Gitea's and Forgejo's webhooks as events and commands. Pure: no I/O, the signature before anything else.

Source: https://docs.gitea.com/usage/webhooks and https://forgejo.org/docs/latest/user/webhooks/. Bodies are
much like GitHub's. Which files a push changed is told of its newest commits alone, and whether it was forced
not at all: so nothing of that is taken from them. Where a delivery names a ref and no commit, the event's
`sha` is `NO_COMMIT`: what the ref says when it is looked up is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from windlass_runner.forges.base import BadDelivery, Command, ParsedDelivery
from windlass_runner.forges.comments import parse_comment
from windlass_runner.forges.payload import Payload, header_word, json_text, parse_payload
from windlass_runner.forges.signatures import check_signature
from windlass_runner.workflow.events import NO_COMMIT, Event

SIGNATURE_HEADERS: Final = ("x-forgejo-signature", "x-gitea-signature")
"""HMAC-SHA-256 of the body in hexadecimal digits. Forgejo sends both, Gitea the second."""

_REF_FOLDERS: Final = {"branch": "refs/heads/", "tag": "refs/tags/"}
_ACTIVITIES: Final = {
    "synchronized": "synchronize",
    "label_updated": "labeled",
    "label_cleared": "unlabeled",
}
"""Activities of pull requests that have another name on GitHub."""
_OTHER_ACTIVITIES: Final = frozenset(["reviewed"])
"""What GitHub tells by another event."""

_Read = tuple[Event | Command, ...]


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> ParsedDelivery:
    """A delivery whose signature one of the secrets made; `headers` have lower-case names.

    Raises:
        BadSignature, BadDelivery
    """
    check_sender(headers, body, secrets)
    kind, delivery = _header(headers, "event"), _header(headers, "delivery")
    payload = parse_payload(json_text(headers, body))
    read = _READERS.get(kind)
    found = read(payload) if read is not None else ()
    repository = payload.object_or_none("repository")
    return ParsedDelivery(
        id=f"gitea:{delivery}",
        kind=kind,
        repository=(repository.word_or_none("full_name") or "") if repository is not None else "",
        number=repository.number_or_none("id") if repository is not None else None,
        events=tuple(item for item in found if isinstance(item, Event)),
        commands=tuple(item for item in found if isinstance(item, Command)),
    )


def check_sender(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> None:
    """Whether one of the secrets made the signature. Raises BadSignature."""
    given = next((headers[name] for name in SIGNATURE_HEADERS if name in headers), None)
    check_signature(None if given is None else f"sha256={given.strip()}", body, secrets)


def is_known(kind: str) -> bool:
    """Whether deliveries of that kind are read at all."""
    return kind in _READERS


def parse_pull_request(pull: Payload, *, repository: str, action: str, actor: str, body: Payload) -> Event:
    """A pull request, as webhooks and the API show it, as its newest commit's event. Raises BadDelivery."""
    number = pull.number("number")
    head, base = pull.object("head"), pull.object("base")
    return Event(
        kind="pull_request",
        repository=repository,
        action=action,
        number=number,
        ref=f"refs/pull/{number}/head",
        sha=head.commit("sha"),
        head_ref=head.word("ref"),
        base_ref=base.word("ref"),
        is_fork=_is_fork(head, base),
        actor=actor,
        payload=body.data,
    )


def _is_fork(head: Payload, base: Payload) -> bool:
    """A head whose repository is not told (it was deleted) is a stranger's. So is one that is no branch: by
    https://docs.gitea.com/usage/agit whoever may read can push a pull request into the repository itself."""
    names = []
    for side in (head, base):
        repository = side.object_or_none("repo")
        names.append(repository.word_or_none("full_name") if repository is not None else None)
    return names[0] is None or names[0] != names[1] or head.word("ref").startswith("refs/")


def _header(headers: Mapping[str, str], name: str) -> str:
    forgejo = f"x-forgejo-{name}"
    return header_word(headers, forgejo if forgejo in headers else f"x-gitea-{name}")


def _push(payload: Payload) -> _Read:
    before = payload.commit_or_none("before")
    head = payload.object_or_none("head_commit")
    event = _event(
        payload,
        "push",
        ref=payload.word("ref"),
        sha=payload.commit("after"),
        before=None if before == NO_COMMIT else before,
        head_message=head.prose("message") if head is not None else "",
    )
    return (event,)


def _pull_request(payload: Payload) -> _Read:
    action = payload.word("action")
    if action in _OTHER_ACTIVITIES:
        return ()
    event = parse_pull_request(
        payload.object("pull_request"),
        repository=_repository(payload),
        action=_ACTIVITIES.get(action, action),
        actor=_actor(payload),
        body=payload,
    )
    return (event,)


def _create(payload: Payload) -> _Read:
    return (_event(payload, "create", ref=_made_ref(payload)),)


def _delete(payload: Payload) -> _Read:
    """What is gone cannot be run: the default branch is, as on GitHub. The payload names what went."""
    _made_ref(payload)
    branch = payload.object("repository").word("default_branch")
    return (_event(payload, "delete", ref=_REF_FOLDERS["branch"] + branch),)


def _made_ref(payload: Payload) -> str:
    ref, kind = payload.word("ref"), payload.word("ref_type")
    if kind not in _REF_FOLDERS:
        raise BadDelivery("'ref_type' is neither branch nor tag")
    return ref if ref.startswith("refs/") else _REF_FOLDERS[kind] + ref


def _issue_comment(payload: Payload) -> _Read:
    issue = payload.object("issue")
    is_pull = payload.data.get("is_pull") is True or issue.object_or_none("pull_request") is not None
    if payload.word("action") != "created" or not is_pull:
        return ()
    comment = payload.object("comment")
    author = comment.object_or_none("user")
    if author is None:  # a deleted account has no name, and no rights
        return ()
    return parse_comment(
        comment.prose("body"),
        repository=_repository(payload),
        number=issue.number("number"),
        actor=author.word("login"),
        said_at=comment.moment_or_none("created_at"),
    )


def _event(payload: Payload, kind: str, *, sha: str = NO_COMMIT, **fields: Any) -> Event:
    return Event(
        kind=kind,
        repository=_repository(payload),
        sha=sha,
        actor=_actor(payload),
        payload=payload.data,
        **fields,
    )


def _repository(payload: Payload) -> str:
    return payload.object("repository").word("full_name")


def _actor(payload: Payload) -> str:
    """Who did it; empty where nobody is named."""
    people = (payload.object_or_none(key) for key in ("sender", "pusher"))
    logins = (person.word_or_none("login") for person in people if person is not None)
    return next((login for login in logins if login), "")


_READERS: Final[Mapping[str, Callable[[Payload], _Read]]] = {
    "push": _push,
    "pull_request": _pull_request,
    "create": _create,
    "delete": _delete,
    "issue_comment": _issue_comment,
}
