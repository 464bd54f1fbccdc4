from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.forges.spoiling import changed, spoil
from windlass_runner.forges.base import BadDelivery, BadSignature, Command, DeliveryRefused, ParsedDelivery
from windlass_runner.forges.gitlab.deliveries import is_known, parse_delivery
from windlass_runner.workflow.events import NO_COMMIT, Event

TOKEN = "hush"
KEY = b"0123456789abcdef0123456789abcdef"
SIGNING_TOKEN = "whsec_" + base64.b64encode(KEY).decode()
OLD, NEW = "1" * 40, "2" * 40
PROJECT = {"id": 15, "path_with_namespace": "acme/vision/digits", "default_branch": "main"}
PUSH = {
    "object_kind": "push",
    "event_name": "push",
    "ref": "refs/heads/main",
    "before": OLD,
    "after": NEW,
    "checkout_sha": NEW,
    "user_name": "Mona Lisa",
    "user_username": "mona",
    "project_id": 15,
    "project": PROJECT,
    "commits": [{"id": NEW, "message": "Faster", "added": ["a.py"], "modified": [], "removed": []}],
    "total_commits_count": 1,
}
TAG_PUSH = {**PUSH, "object_kind": "tag_push", "ref": "refs/tags/v1", "before": NO_COMMIT}
MERGE_REQUEST = {
    "object_kind": "merge_request",
    "event_type": "merge_request",
    "user": {"id": 1, "username": "mona"},
    "project": PROJECT,
    "object_attributes": {
        "id": 99,
        "iid": 7,
        "action": "open",
        "source_branch": "faster",
        "target_branch": "main",
        "source_project_id": 15,
        "target_project_id": 15,
        "last_commit": {"id": NEW, "message": "Faster"},
        "title": "Faster",
    },
    "changes": {},
}
NOTE = {
    "object_kind": "note",
    "event_type": "note",
    "user": {"id": 1, "username": "mona"},
    "project": PROJECT,
    "object_attributes": {
        "id": 1244,
        "note": "/retest\n/cancel",
        "noteable_type": "MergeRequest",
        "action": "create",
        "system": False,
        "created_at": "2026-05-17 18:08:09 UTC",
        "updated_at": "2026-05-17 18:08:09 UTC",
    },
    "merge_request": {"id": 99, "iid": 7},
}
SAMPLES: dict[str, dict[str, Any]] = {
    "push": PUSH,
    "tag_push": TAG_PUSH,
    "merge_request": MERGE_REQUEST,
    "note": NOTE,
}
HEADERS = {
    "content-type": "application/json",
    "x-gitlab-event": "Push Hook",
    "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e",
    "x-gitlab-webhook-uuid": "02affd2d-2cba-4033-917d-ec22d5dc4b38",
    "idempotency-key": "f5e57fe6-d866-4f2c-94a0-c5e0e65dd2ef",
    "x-gitlab-token": TOKEN,
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in HEADERS.items() if name not in names}


def signed(body: bytes, *, key: bytes = KEY, version: str = "v1", at: str = "1700000000") -> dict[str, str]:
    """As https://docs.gitlab.com/user/project/integrations/webhooks/ signs: id, time and body."""
    made = hmac.new(key, b"m1." + at.encode() + b"." + body, hashlib.sha256).digest()
    return {
        **without("x-gitlab-token"),
        "webhook-id": "m1",
        "webhook-timestamp": at,
        "webhook-signature": f"{version},{base64.b64encode(made).decode()}",
    }


def parse(data: object) -> ParsedDelivery:
    return parse_delivery(HEADERS, json.dumps(data).encode(), [TOKEN])


def event(data: object) -> Event:
    (found,) = parse(data).events
    return found


def request(**attributes: object) -> dict[str, Any]:
    found = MERGE_REQUEST
    for name, value in attributes.items():
        found = changed(found, f"object_attributes.{name}", value)
    return found


@pytest.mark.parametrize("told", ["", "other", "hush ", "HUSH", "é", "\ud800", SIGNING_TOKEN])
def test_a_wrong_token_is_told_before_a_wrong_body(told: str) -> None:
    with pytest.raises(BadSignature):
        parse_delivery({**HEADERS, "x-gitlab-token": told}, b"{", [TOKEN, "", SIGNING_TOKEN])


def test_without_token_or_secret_nothing_is_taken() -> None:
    body = json.dumps(PUSH).encode()
    with pytest.raises(BadSignature):
        parse_delivery(without("x-gitlab-token"), body, [TOKEN])
    for secrets in ([], [""]):
        with pytest.raises(BadSignature):
            parse_delivery({**HEADERS, "x-gitlab-token": ""}, body, secrets)


def test_any_of_the_tokens_may_be_the_webhooks() -> None:
    body = json.dumps(PUSH).encode()
    assert parse_delivery(HEADERS, body, ["other", TOKEN]).events


def test_a_signing_token_signs_id_time_and_body() -> None:
    body = json.dumps(PUSH).encode()
    assert parse_delivery(signed(body), body, [SIGNING_TOKEN]).id == "gitlab:m1"
    several = signed(body)
    several["webhook-signature"] = f"v1,bm8= {several['webhook-signature']}"
    assert parse_delivery(several, body, ["other", SIGNING_TOKEN]).events


@pytest.mark.parametrize(
    "told",
    [
        signed(b"other"),
        signed(json.dumps(PUSH).encode(), key=b"another"),
        signed(json.dumps(PUSH).encode(), version="v2"),
        {**signed(json.dumps(PUSH).encode()), "webhook-id": "m2"},
        {**signed(json.dumps(PUSH).encode()), "webhook-timestamp": "1700000001"},
        {**signed(b"other"), "x-gitlab-token": TOKEN},
        {**HEADERS, "webhook-signature": "é"},
        {**HEADERS, "webhook-signature": ""},
    ],
)
def test_what_is_signed_must_be_signed_right_whatever_token_comes_along(told: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        parse_delivery(told, json.dumps(PUSH).encode(), [TOKEN, SIGNING_TOKEN])


@pytest.mark.parametrize("secret", ["whsec_", "whsec_?", "whsec_é", "whsec_YQ"])
def test_a_signing_token_that_is_none_signs_nothing(secret: str) -> None:
    body = json.dumps(PUSH).encode()
    with pytest.raises(BadSignature):
        parse_delivery(signed(body, key=b""), body, [secret])


def test_a_delivery_that_is_tried_again_keeps_its_id() -> None:
    body = json.dumps(PUSH).encode()
    first = parse_delivery(HEADERS, body, [TOKEN]).id
    assert first == "gitlab:f5e57fe6-d866-4f2c-94a0-c5e0e65dd2ef"
    again = {**HEADERS, "x-gitlab-webhook-uuid": "another"}
    assert parse_delivery(again, body, [TOKEN]).id == first


def test_older_servers_send_the_same_body_again_for_the_same_event() -> None:
    body, older = json.dumps(PUSH).encode(), without("idempotency-key")
    first = parse_delivery(older, body, [TOKEN]).id
    assert parse_delivery({**older, "x-gitlab-webhook-uuid": "another"}, body, [TOKEN]).id == first
    others = [
        parse_delivery({**older, "x-gitlab-event-uuid": "another"}, body, [TOKEN]).id,
        parse_delivery(older, body + b" ", [TOKEN]).id,
    ]
    assert len({first, *others}) == 3


def test_an_id_that_is_no_word_is_refused() -> None:
    body = json.dumps(PUSH).encode()
    with pytest.raises(BadDelivery, match="'idempotency-key'"):
        parse_delivery({**HEADERS, "idempotency-key": "x" * 129}, body, [TOKEN])


def test_a_push_says_what_moved_and_by_whom() -> None:
    parsed = parse(PUSH)
    assert (parsed.kind, parsed.repository) == ("push", "acme/vision/digits")
    assert parsed.events == (
        Event(
            kind="push",
            repository="acme/vision/digits",
            ref="refs/heads/main",
            before=OLD,
            sha=NEW,
            actor="mona",
            payload=PUSH,
        ),
    )


@pytest.mark.parametrize("where", ["checkout_sha", "commits", "project_id", "project.default_branch"])
@pytest.mark.parametrize("value", [None, ...])
def test_a_push_is_taken_without_what_it_could_do_without(where: str, value: object) -> None:
    assert event(changed(PUSH, where, value)).sha == NEW
    assert event(changed(PUSH, "user_username", value)).actor == "Mona Lisa"


def test_a_ref_that_is_made_is_told_as_github_does_by_two_events() -> None:
    push, create = parse(TAG_PUSH).events
    assert push.is_creation
    assert (push.kind, push.ref, push.sha) == ("push", "refs/tags/v1", NEW)
    assert (create.kind, create.ref, create.sha, create.actor) == (
        "create",
        "refs/tags/v1",
        NO_COMMIT,
        "mona",
    )


def test_for_a_ref_that_is_gone_the_default_branch_is_run() -> None:
    gone = changed(changed(PUSH, "after", NO_COMMIT), "ref", "refs/heads/dev")
    push, delete = parse(gone).events
    assert push.is_deletion
    assert (delete.kind, delete.ref, delete.payload["ref"]) == ("delete", "refs/heads/main", "refs/heads/dev")
    assert [one.kind for one in parse(changed(gone, "ref", "refs/heads/main")).events] == ["push"]


def test_a_merge_request_says_where_it_comes_from_and_where_it_wants_to_go() -> None:
    found = event(MERGE_REQUEST)
    assert (found.kind, found.action, found.number) == ("pull_request", "opened", 7)
    assert (found.ref, found.sha) == ("refs/merge-requests/7/head", NEW)
    assert (found.head_ref, found.base_ref, found.is_fork) == ("faster", "main", False)
    assert (found.actor, found.payload["object_attributes"]["title"]) == ("mona", "Faster")


@pytest.mark.parametrize(
    ("told", "action"), [("reopen", "reopened"), ("close", "closed"), ("merge", "closed")]
)
def test_activities_have_githubs_names(told: str, action: str) -> None:
    assert event(request(action=told)).action == action


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"labels": {"previous": [], "current": [{"title": "gpu"}]}}, "labeled"),
        ({"labels": {"previous": [{"title": "gpu"}], "current": []}}, "unlabeled"),
        ({"draft": {"previous": True, "current": False}}, "ready_for_review"),
        ({"draft": {"previous": False, "current": True}}, "converted_to_draft"),
        ({"title": {"previous": "Fast", "current": "Faster"}}, "edited"),
        ({"target_branch": {"previous": "dev", "current": "main"}}, "edited"),
    ],
)
def test_an_update_is_what_was_changed(changes: dict[str, Any], action: str) -> None:
    assert event(changed(request(action="update"), "changes", changes)).action == action
    pushed = changed(request(action="update", oldrev=OLD), "changes", changes)
    assert event(pushed).action == "synchronize"


@pytest.mark.parametrize("action", ["approved", "unapproved", "approval", "unapproval", "update", None])
def test_what_github_tells_otherwise_or_not_at_all_starts_nothing(action: str | None) -> None:
    assert parse(request(action=action)).events == ()
    assert parse(changed(request(action=action), "changes", ...)).events == ()


def test_a_merge_request_without_a_commit_starts_nothing() -> None:
    assert parse(request(last_commit=None)).events == ()


@pytest.mark.parametrize("source", [16, None, "15", True, ...])
def test_a_request_from_another_project_is_a_forks(source: object) -> None:
    assert event(request(source_project_id=source)).is_fork


def test_comments_on_merge_requests_are_commands_in_their_order() -> None:
    said_at = datetime(2026, 5, 17, 18, 8, 9, tzinfo=UTC).timestamp()
    asked = Command(kind="rerun", repository="acme/vision/digits", number=7, actor="mona", said_at=said_at)
    assert parse(NOTE).commands[0] == asked
    assert [command.kind for command in parse(NOTE).commands] == ["rerun", "cancel"]
    assert len(parse(changed(NOTE, "object_attributes.action", ...)).commands) == 2


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("object_attributes.action", "update"),
        ("object_attributes.noteable_type", "Issue"),
        ("object_attributes.noteable_type", "Commit"),
        ("object_attributes.system", True),
        ("object_attributes.note", None),
        ("merge_request", None),
        ("merge_request", ...),
    ],
)
def test_comments_that_are_not_new_words_on_a_merge_request_ask_for_nothing(
    where: str, value: object
) -> None:
    assert parse(changed(NOTE, where, value)).commands == ()


def test_a_comment_that_was_changed_asks_for_nothing_on_older_servers() -> None:
    older = changed(NOTE, "object_attributes.action", ...)
    assert parse(changed(older, "object_attributes.updated_at", "2026-05-18 09:00:00 UTC")).commands == ()


def test_what_is_not_known_is_parsed_empty_and_told_apart() -> None:
    for data, kind in (
        ({"object_kind": "pipeline", "project": PROJECT}, "pipeline"),
        ({"event_name": "project_create"}, "project_create"),
        ({}, ""),
    ):
        parsed = parse(data)
        assert (parsed.kind, parsed.events, parsed.commands) == (kind, (), ())
    assert [is_known(kind) for kind in ("pipeline", "", "push")] == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "where", "value"),
    [
        ("push", "ref", None),
        ("push", "after", "HEAD"),
        ("push", "project.path_with_namespace", ...),
        ("merge_request", "object_attributes", None),
        ("merge_request", "object_attributes.iid", "7"),
        ("merge_request", "object_attributes.last_commit.id", "2" * 39),
        ("merge_request", "object_attributes.source_branch", ""),
        ("merge_request", "object_attributes.target_branch", "\ud800"),
        ("note", "merge_request.iid", None),
        ("note", "user.username", None),
    ],
)
def test_a_refusal_names_the_key(kind: str, where: str, value: object) -> None:
    with pytest.raises(BadDelivery, match=f"'{where}'"):
        parse(changed(SAMPLES[kind], where, value))


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_whatever_comes_is_read_or_refused(data: st.DataObject, kind: str) -> None:
    spoiled = SAMPLES[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled = spoil(data, spoiled)
    try:
        parsed = parse(spoiled)
    except DeliveryRefused:
        return
    assert all(Event.from_json(json.loads(json.dumps(one.to_json()))) == one for one in parsed.events)


@given(st.binary(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_whatever_bytes_come_with_the_token_are_read_or_refused(body: bytes, strange: dict[str, str]) -> None:
    try:
        parsed = parse_delivery({**HEADERS, **strange}, body, [TOKEN])
    except DeliveryRefused:
        return
    assert (json.loads(body), parsed.events, parsed.commands) == ({}, (), ())
