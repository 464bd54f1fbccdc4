from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.forges.spoiling import changed, spoil
from windlass_runner.forges.base import BadDelivery, BadSignature, Command, DeliveryRefused, ParsedDelivery
from windlass_runner.forges.gitea.deliveries import is_known, parse_delivery
from windlass_runner.workflow.events import NO_COMMIT, Event

SECRET = "hush"
OLD, NEW = "1" * 40, "2" * 40
REPOSITORY = {"id": 140, "name": "digits", "full_name": "acme/digits", "default_branch": "main"}
COMMON = {"repository": REPOSITORY, "sender": {"id": 1, "login": "mona", "username": "mona"}}
PUSH = {
    **COMMON,
    "ref": "refs/heads/main",
    "before": OLD,
    "after": NEW,
    "compare_url": "https://forge.example.org/acme/digits/compare/1..2",
    "commits": [{"id": NEW, "message": "Faster", "added": ["a.py"], "removed": [], "modified": []}],
    "total_commits": 1,
    "head_commit": {"id": NEW, "message": "Faster"},
    "pusher": {"login": "mona"},
}
PULL_REQUEST = {
    **COMMON,
    "action": "opened",
    "number": 7,
    "pull_request": {
        "number": 7,
        "title": "Faster",
        "head": {"label": "faster", "ref": "faster", "sha": NEW, "repo_id": 140, "repo": REPOSITORY},
        "base": {"label": "main", "ref": "main", "sha": OLD, "repo_id": 140, "repo": REPOSITORY},
    },
    "commit_id": "",
    "review": None,
}
COMMENT = {
    **COMMON,
    "action": "created",
    "is_pull": True,
    "issue": {"number": 7, "pull_request": {"merged": False}},
    "comment": {"body": "/retest\n/cancel", "user": {"login": "mona"}},
}
CREATE = {**COMMON, "sha": NEW, "ref": "v1", "ref_type": "tag"}
DELETE = {**COMMON, "ref": "dev", "ref_type": "branch", "pusher_type": "user"}
SAMPLES: dict[str, dict[str, Any]] = {
    "push": PUSH,
    "pull_request": PULL_REQUEST,
    "issue_comment": COMMENT,
    "create": CREATE,
    "delete": DELETE,
}


def signature(body: bytes, secret: str = SECRET) -> str:
    """As https://docs.gitea.com/usage/webhooks has it: hexadecimal digits and nothing before them."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(kind: str, body: bytes, **changes: str) -> dict[str, str]:
    usual = {
        "x-gitea-event": kind,
        "x-gitea-event-type": kind,
        "x-gitea-delivery": "d1",
        "x-gitea-signature": signature(body),
        "content-type": "application/json",
    }
    return {**usual, **{name.replace("_", "-"): value for name, value in changes.items()}}


def parse(kind: str, data: object) -> ParsedDelivery:
    body = json.dumps(data).encode()
    return parse_delivery(headers(kind, body), body, [SECRET])


def event(kind: str, data: object) -> Event:
    (found,) = parse(kind, data).events
    return found


@pytest.mark.parametrize("told", ["", "0" * 64, "é", signature(b"{", "other"), "sha256=" + signature(b"{")])
def test_a_wrong_signature_is_told_before_a_wrong_body(told: str) -> None:
    with pytest.raises(BadSignature):
        parse_delivery({"x-gitea-signature": told}, b"{", [SECRET])


def test_without_signature_or_secret_nothing_is_taken() -> None:
    body = json.dumps(PUSH).encode()
    unsigned = headers("push", body)
    del unsigned["x-gitea-signature"]
    with pytest.raises(BadSignature):
        parse_delivery(unsigned, body, [SECRET])
    with pytest.raises(BadSignature):
        parse_delivery(headers("push", body, x_gitea_signature=signature(body, "")), body, ["", "other"])
    with pytest.raises(BadSignature):
        parse_delivery(headers("push", body), body + b" ", [SECRET])


def test_any_of_the_secrets_may_have_signed() -> None:
    body = json.dumps(PUSH).encode()
    assert parse_delivery(headers("push", body), body, ["other", SECRET]).events


def test_forgejos_own_headers_do_as_well() -> None:
    body = json.dumps(PUSH).encode()
    told = {
        "x-forgejo-event": "push",
        "x-forgejo-delivery": "d1",
        "x-forgejo-signature": signature(body),
        "content-type": "application/json",
    }
    assert parse_delivery(told, body, [SECRET]) == parse("push", PUSH)
    assert parse_delivery({**told, **headers("push", body)}, body, [SECRET]) == parse("push", PUSH)
    with pytest.raises(BadSignature):
        parse_delivery({**told, "x-forgejo-signature": "0" * 64}, body, [SECRET])


@pytest.mark.parametrize("name", ["x-gitea-event", "x-gitea-delivery"])
@pytest.mark.parametrize("value", [None, "", "two words", "x" * 129, "é"])
def test_a_delivery_says_what_it_is(name: str, value: str | None) -> None:
    body = json.dumps(PUSH).encode()
    told = {key: text for key, text in headers("push", body).items() if key != name}
    with pytest.raises(BadDelivery, match=f"'{name}' is missing"):
        parse_delivery(told | ({name: value} if value else {}), body, [SECRET])


def test_a_form_carries_the_same_payload() -> None:
    form = b"payload=" + quote_plus(json.dumps(PUSH)).encode()
    told = headers("push", form, content_type="application/x-www-form-urlencoded")
    assert parse_delivery(told, form, [SECRET]).events == parse("push", PUSH).events


def test_a_push_says_what_moved_and_by_whom() -> None:
    parsed = parse("push", PUSH)
    assert (parsed.id, parsed.kind, parsed.repository) == ("gitea:d1", "push", "acme/digits")
    assert parsed.events == (
        Event(
            kind="push",
            repository="acme/digits",
            ref="refs/heads/main",
            before=OLD,
            sha=NEW,
            head_message="Faster",
            actor="mona",
            payload=PUSH,
        ),
    )


@pytest.mark.parametrize("where", ["head_commit", "before", "pusher", "sender", "commits", "total_commits"])
@pytest.mark.parametrize("value", [None, ...])
def test_a_push_is_taken_without_what_it_could_do_without(where: str, value: object) -> None:
    push = event("push", changed(PUSH, where, value))
    assert (push.ref, push.sha, push.actor) == ("refs/heads/main", NEW, "mona")


def test_a_new_ref_and_one_that_is_gone_are_told_apart() -> None:
    assert event("push", changed(PUSH, "before", NO_COMMIT)).is_creation
    assert event("push", changed(PUSH, "after", NO_COMMIT)).is_deletion


def test_a_pull_request_says_where_it_comes_from_and_where_it_wants_to_go() -> None:
    found = event("pull_request", PULL_REQUEST)
    assert (found.action, found.number, found.ref, found.sha) == ("opened", 7, "refs/pull/7/head", NEW)
    assert (found.head_ref, found.base_ref, found.is_fork) == ("faster", "main", False)
    assert (found.actor, found.payload["pull_request"]["title"]) == ("mona", "Faster")


@pytest.mark.parametrize(
    ("told", "action"),
    [
        ("opened", "opened"),
        ("synchronized", "synchronize"),
        ("reopened", "reopened"),
        ("closed", "closed"),
        ("label_updated", "labeled"),
        ("label_cleared", "unlabeled"),
        ("edited", "edited"),
        ("review_requested", "review_requested"),
    ],
)
def test_activities_have_githubs_names(told: str, action: str) -> None:
    assert event("pull_request", changed(PULL_REQUEST, "action", told)).action == action


def test_a_review_is_no_activity_of_a_pull_request() -> None:
    assert parse("pull_request", changed(PULL_REQUEST, "action", "reviewed")).events == ()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("head.repo", {"full_name": "stranger/digits"}),
        ("head.repo", {"full_name": None}),
        ("head.repo", None),
        ("head.repo", ...),
        ("base.repo", None),
        ("head.ref", "refs/pull/7/head"),  # pushed to refs/for/main by whoever may read
    ],
)
def test_a_head_that_is_no_branch_of_this_repository_is_a_forks(where: str, value: object) -> None:
    assert event("pull_request", changed(PULL_REQUEST, f"pull_request.{where}", value)).is_fork


def test_a_ref_made_is_run_and_for_one_removed_the_default_branch() -> None:
    assert event("create", CREATE).ref == "refs/tags/v1"
    assert event("create", {**CREATE, "ref": "dev", "ref_type": "branch"}).ref == "refs/heads/dev"
    removed = event("delete", DELETE)
    assert (removed.ref, removed.sha, removed.payload["ref"]) == ("refs/heads/main", NO_COMMIT, "dev")


def test_comments_on_pull_requests_are_commands_in_their_order() -> None:
    asked = Command(kind="rerun", repository="acme/digits", number=7, actor="mona")
    assert parse("issue_comment", COMMENT).commands[0] == asked
    assert [command.kind for command in parse("issue_comment", COMMENT).commands] == ["rerun", "cancel"]
    dated = changed(COMMENT, "comment.created_at", "1970-01-02T01:00:00+01:00")
    assert {command.said_at for command in parse("issue_comment", dated).commands} == {86_400.0}
    without_word = changed(COMMENT, "is_pull", ...)
    assert len(parse("issue_comment", without_word).commands) == 2


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("action", "edited"),
        ("action", "deleted"),
        ("comment.user", None),
        ("comment.body", None),
        ("comment.body", "looks good"),
    ],
)
def test_comments_that_are_not_a_persons_new_words_ask_for_nothing(where: str, value: object) -> None:
    assert parse("issue_comment", changed(COMMENT, where, value)).commands == ()


def test_comments_on_issues_ask_for_nothing() -> None:
    on_issue = changed(changed(COMMENT, "is_pull", False), "issue.pull_request", None)
    assert parse("issue_comment", on_issue).commands == ()


def test_what_is_not_known_is_parsed_empty_and_told_apart() -> None:
    parsed = parse("release", {"action": "published", "repository": None})
    assert (parsed.kind, parsed.repository, parsed.events, parsed.commands) == ("release", "", (), ())
    assert [is_known(kind) for kind in ("release", "push")] == [False, True]


@pytest.mark.parametrize(
    ("kind", "where", "value"),
    [
        ("push", "ref", None),
        ("push", "ref", "refs/heads/a\0b"),
        ("push", "after", "HEAD"),
        ("push", "repository.full_name", ...),
        ("pull_request", "action", ...),
        ("pull_request", "pull_request.number", "7"),
        ("pull_request", "pull_request.head.sha", ""),
        ("pull_request", "pull_request.head.ref", ""),
        ("pull_request", "pull_request.base.ref", "\ud800"),
        ("issue_comment", "issue.number", None),
        ("issue_comment", "comment.user.login", None),
        ("create", "ref_type", "repository"),
        ("delete", "repository.default_branch", None),
    ],
)
def test_a_refusal_names_the_key(kind: str, where: str, value: object) -> None:
    with pytest.raises(BadDelivery, match=f"'{where}'"):
        parse(kind, changed(SAMPLES[kind], where, value))


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_whatever_comes_is_read_or_refused(data: st.DataObject, kind: str) -> None:
    spoiled = SAMPLES[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled = spoil(data, spoiled)
    try:
        parsed = parse(kind, spoiled)
    except DeliveryRefused:
        return
    assert all(Event.from_json(json.loads(json.dumps(one.to_json()))) == one for one in parsed.events)


@given(st.binary(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_whatever_bytes_come_signed_are_read_or_refused(body: bytes, strange: dict[str, str]) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(DeliveryRefused):
            parse_delivery({**headers("push", body, content_type=content_type), **strange}, body, [SECRET])
