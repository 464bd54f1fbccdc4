"""GitHub's webhooks as events and commands. Pure: no I/O, and the signature before anything else.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Where a delivery names a ref and no
commit (a dispatch, a ref made or removed), the event's `sha` is `NO_COMMIT`: what the ref says when it is
looked up is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final, cast, get_args

from windlass_runner.forges.base import BadDelivery, Command, CommandKind, ParsedDelivery
from windlass_runner.forges.comments import parse_comment
from windlass_runner.forges.payload import Payload, header_word, json_text, parse_payload
from windlass_runner.forges.signatures import check_signature
from windlass_runner.workflow.events import NO_COMMIT, Event
from windlass_runner.workflow.triggers import MOST_CHANGED_FILES

SIGNATURE_HEADER: Final = "x-hub-signature-256"
EVENT_HEADER: Final = "x-github-event"
DELIVERY_HEADER: Final = "x-github-delivery"
KEPT_HEADERS: Final = (EVENT_HEADER, DELIVERY_HEADER, "content-type")
"""What :func:`read_delivery` looks at."""

_MOST_COMMITS: Final = 20
"""Older servers name this many commits of a push and leave out the rest without saying so."""
_FILE_LISTS: Final = ("added", "removed", "modified")
_REF_FOLDERS: Final = {"branch": "refs/heads/", "tag": "refs/tags/"}

_ANSWERS: Final = ("approve_job", "reject_job")
"""Buttons that say what they are about."""
_Read = tuple[Event | Command, ...]


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> ParsedDelivery:
    """A delivery whose signature one of the secrets made; `headers` have lower-case names.

    Raises:
        BadSignature, BadDelivery
    """
    check_sender(headers, body, secrets)
    return read_delivery(headers, body)


def check_sender(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> None:
    """Whether one of the secrets made the signature. Raises BadSignature."""
    check_signature(headers.get(SIGNATURE_HEADER), body, secrets)


def read_delivery(headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
    """The same for one that was checked before, as it lies in the inbox. Raises BadDelivery."""
    kind = header_word(headers, EVENT_HEADER)
    delivery = header_word(headers, DELIVERY_HEADER)
    payload = parse_payload(json_text(headers, body))
    read = _READERS.get(kind)
    found = read(payload) if read is not None else ()
    repository = payload.object_or_none("repository")
    return ParsedDelivery(
        id=f"github:{delivery}",
        kind=kind,
        repository=(repository.word_or_none("full_name") or "") if repository is not None else "",
        number=repository.number_or_none("id") if repository is not None else None,
        events=tuple(item for item in found if isinstance(item, Event)),
        commands=tuple(item for item in found if isinstance(item, Command)),
    )


def is_known(kind: str) -> bool:
    """Whether deliveries of that kind are read at all."""
    return kind in _READERS


def _push(payload: Payload) -> _Read:
    ref, after = payload.word("ref"), payload.commit("after")
    before = payload.commit_or_none("before")
    head = payload.object_or_none("head_commit")
    event = _event(
        payload,
        "push",
        ref=ref,
        sha=after,
        before=None if before == NO_COMMIT else before,
        head_message=head.prose("message") if head is not None else "",
        changed_paths=_changed_paths(payload, after),
    )
    return (event,)


def _changed_paths(payload: Payload, after: str) -> tuple[str, ...] | None:
    """The files of a push's commits, or None where they may not be all: of a new ref and of one that was
    moved elsewhere GitHub does not list what changed, and long lists are cut off."""
    commits = payload.data.get("commits")
    is_moved_on = payload.data.get("created") is False and payload.data.get("forced") is False
    if not is_moved_on or not isinstance(commits, list) or not 0 < len(commits) < _MOST_COMMITS:
        return None
    if not isinstance(commits[-1], dict) or commits[-1].get("id") != after:
        return None
    changed: set[str] = set()
    for commit in commits:
        lists = [commit.get(name) for name in _FILE_LISTS] if isinstance(commit, dict) else [None]
        for paths in lists:
            if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
                return None
            changed.update(paths)
    return tuple(sorted(changed)) if len(changed) < MOST_CHANGED_FILES else None


def pull_request_event(pull: Mapping[str, Any], *, repository: str) -> Event:
    """A pull request as the API gives it, as the event of its newest commit. `repository` may have another
    name by now, which only the pull request tells. Raises BadDelivery."""
    base = Payload(pull).object("base").object_or_none("repo")
    current = base.word_or_none("full_name") if base is not None else None
    payload = {
        "action": "synchronize",
        "number": pull.get("number"),
        "pull_request": pull,
        "repository": {"full_name": current or repository},
        "sender": pull.get("user"),
    }
    return _read_pull_request(Payload(payload))


def _pull_request(payload: Payload) -> _Read:
    return (_read_pull_request(payload),)


def _read_pull_request(payload: Payload) -> Event:
    action = payload.word("action")
    pull = payload.object("pull_request")
    number = pull.number("number")
    head, base = pull.object("head"), pull.object("base")
    return _event(
        payload,
        "pull_request",
        action=action,
        number=number,
        ref=f"refs/pull/{number}/head",
        sha=head.commit("sha"),
        before=payload.commit_or_none("before"),
        head_ref=head.word("ref"),
        base_ref=base.word("ref"),
        is_fork=_is_fork(head, _repository(payload)),
    )


def _is_fork(head: Payload, repository: str) -> bool:
    """A head whose repository is not told (it was deleted) is a stranger's."""
    source = head.object_or_none("repo")
    name = source.word_or_none("full_name") if source is not None else None
    return name is None or name.lower() != repository.lower()


def _merge_group(payload: Payload) -> _Read:
    action = payload.word("action")
    if action != "checks_requested":
        return ()
    group = payload.object("merge_group")
    ref, commit = group.word("head_ref"), group.object_or_none("head_commit")
    event = _event(
        payload,
        "merge_group",
        action=action,
        ref=ref,
        sha=group.commit("head_sha"),
        head_ref=ref.removeprefix("refs/heads/"),
        base_ref=group.word("base_ref").removeprefix("refs/heads/"),
        head_message=commit.prose("message") if commit is not None else "",
    )
    return (event,)


def _workflow_dispatch(payload: Payload) -> _Read:
    inputs = payload.object_or_none("inputs")
    event = _event(
        payload,
        "workflow_dispatch",
        ref=_full_ref(payload.word("ref")),
        subject=payload.word("workflow"),
        inputs=inputs.data if inputs is not None else {},
    )
    return (event,)


def _repository_dispatch(payload: Payload) -> _Read:
    branch = payload.word_or_none("branch") or payload.object("repository").word("default_branch")
    return (_event(payload, "repository_dispatch", action=payload.word("action"), ref=_full_ref(branch)),)


def _create(payload: Payload) -> _Read:
    return (_event(payload, "create", ref=_made_ref(payload)),)


def _delete(payload: Payload) -> _Read:
    """What is gone cannot be run: the default branch is, as on GitHub. The payload names what went."""
    _made_ref(payload)
    branch = payload.object("repository").word("default_branch")
    return (_event(payload, "delete", ref=_full_ref(branch)),)


def _made_ref(payload: Payload) -> str:
    ref, kind = payload.word("ref"), payload.word("ref_type")
    if kind not in _REF_FOLDERS:
        raise BadDelivery("'ref_type' is neither branch nor tag")
    return ref if ref.startswith("refs/") else _REF_FOLDERS[kind] + ref


def _full_ref(ref: str) -> str:
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"


def _check_run(payload: Payload) -> _Read:
    match payload.word("action"):
        case "rerequested":
            return (_button(payload, "check_run", "rerun"),)
        case "requested_action":
            kind, _, mark = payload.object("requested_action").word("identifier").partition(":")
            if kind not in get_args(CommandKind) or kind == "test":  # a button names no workflow
                return ()
            if bool(mark) != (kind in _ANSWERS):
                return ()
            button = _button(payload, "check_run", cast(CommandKind, kind))
            return (replace(button, mark=mark or None),)
        case _:
            return ()


def _check_suite(payload: Payload) -> _Read:
    if payload.word("action") != "rerequested":
        return ()
    return (_button(payload, "check_suite", "rerun"),)


def _button(payload: Payload, key: str, kind: CommandKind) -> Command:
    check = payload.object(key)
    return Command(
        kind=kind,
        repository=_repository(payload),
        actor=payload.object("sender").word("login"),
        sha=check.commit("head_sha"),
        run=check.word_or_none("external_id"),
        is_button=True,
    )


def _issue_comment(payload: Payload) -> _Read:
    issue = payload.object("issue")
    if payload.word("action") != "created" or issue.object_or_none("pull_request") is None:
        return ()
    return _read_comment(
        payload.object("comment"), repository=_repository(payload), number=issue.number("number")
    )


def comment_commands(comment: Mapping[str, Any], *, repository: str, number: int) -> tuple[Command, ...]:
    """What a comment on a pull request, as the API gives it, asks for. Raises BadDelivery."""
    return _read_comment(Payload(comment), repository=repository, number=number)


def _read_comment(comment: Payload, *, repository: str, number: int) -> tuple[Command, ...]:
    author = comment.object_or_none("user")
    if author is None or _is_bot(author):  # a deleted account has no name, and no rights
        return ()
    return parse_comment(
        comment.prose("body"),
        repository=repository,
        number=number,
        actor=author.word("login"),
        said_at=comment.moment_or_none("created_at"),
    )


def _is_bot(user: Payload) -> bool:
    return user.data.get("type") == "Bot" or user.word("login").endswith("[bot]")


def _nothing(_payload: Payload) -> _Read:
    return ()


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
    sender, pusher = payload.object_or_none("sender"), payload.object_or_none("pusher")
    login = sender.word_or_none("login") if sender is not None else None
    return login or (pusher.word_or_none("name") if pusher is not None else None) or ""


_READERS: Final[Mapping[str, Callable[[Payload], _Read]]] = {
    "push": _push,
    "pull_request": _pull_request,
    "merge_group": _merge_group,
    "workflow_dispatch": _workflow_dispatch,
    "repository_dispatch": _repository_dispatch,
    "create": _create,
    "delete": _delete,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "issue_comment": _issue_comment,
    "installation": _nothing,
    "installation_repositories": _nothing,
    "ping": _nothing,
}
