from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.forges.spoiling import changed, spoil
from windlass_runner.forges.base import BadDelivery, BadSignature, Command, DeliveryRefused, ParsedDelivery
from windlass_runner.forges.github.deliveries import is_known, parse_delivery, read_delivery
from windlass_runner.forges.signatures import sign
from windlass_runner.workflow.events import NO_COMMIT, Event

SECRET = "hush"
OLD, NEW = "1" * 40, "2" * 40
REPOSITORY = {"full_name": "acme/digits", "name": "digits", "default_branch": "main", "created_at": 1}
COMMON = {"repository": REPOSITORY, "sender": {"login": "mona", "type": "User"}}
COMMIT = {"id": NEW, "message": "Faster", "added": ["a.py"], "removed": [], "modified": ["b.py", "a.py"]}
PUSH = {
    **COMMON,
    "ref": "refs/heads/main",
    "before": OLD,
    "after": NEW,
    "created": False,
    "deleted": False,
    "forced": False,
    "commits": [COMMIT],
    "head_commit": COMMIT,
    "pusher": {"name": "mona", "email": None},
}
PULL_REQUEST = {
    **COMMON,
    "action": "opened",
    "number": 7,
    "pull_request": {
        "number": 7,
        "title": "Faster",
        "head": {"ref": "faster", "sha": NEW, "repo": {"full_name": "stranger/digits"}},
        "base": {"ref": "main", "sha": OLD, "repo": REPOSITORY},
    },
}
CHECK_RUN = {
    **COMMON,
    "action": "requested_action",
    "check_run": {"head_sha": NEW, "external_id": "r1", "pull_requests": []},
    "requested_action": {"identifier": "cancel"},
}
CHECK_SUITE = {**COMMON, "action": "rerequested", "check_suite": {"head_sha": NEW}}
COMMENT = {
    **COMMON,
    "action": "created",
    "issue": {"number": 7, "pull_request": {"url": "https://api.github.com/repos/acme/digits/pulls/7"}},
    "comment": {"body": "/retest\n/cancel", "user": {"login": "mona", "type": "User"}},
}
MERGE_GROUP = {
    **COMMON,
    "action": "checks_requested",
    "merge_group": {
        "head_sha": NEW,
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-7-1",
        "base_sha": OLD,
        "base_ref": "refs/heads/main",
        "head_commit": {"message": "Merge #7"},
    },
}
WORKFLOW_DISPATCH = {**COMMON, "ref": "main", "inputs": None, "workflow": ".github/workflows/train.yml"}
REPOSITORY_DISPATCH = {**COMMON, "action": "retrain", "client_payload": {"epochs": 3}}
MADE = {**COMMON, "ref": "v1", "ref_type": "tag", "pusher_type": "user"}
SAMPLES: dict[str, dict[str, Any]] = {
    "push": PUSH,
    "pull_request": PULL_REQUEST,
    "check_run": CHECK_RUN,
    "check_suite": CHECK_SUITE,
    "issue_comment": COMMENT,
    "merge_group": MERGE_GROUP,
    "workflow_dispatch": WORKFLOW_DISPATCH,
    "repository_dispatch": REPOSITORY_DISPATCH,
    "create": MADE,
    "delete": MADE,
    "ping": {**COMMON, "zen": "Keep it simple."},
}


def headers(kind: str, body: bytes, **changes: str) -> dict[str, str]:
    usual = {
        "x-github-event": kind,
        "x-github-delivery": "d1",
        "x-hub-signature-256": sign(body, SECRET),
        "content-type": "application/json",
    }
    return {**usual, **{name.replace("_", "-"): value for name, value in changes.items()}}


def parse(kind: str, data: object) -> ParsedDelivery:
    body = json.dumps(data).encode()
    return parse_delivery(headers(kind, body), body, [SECRET])


def event(kind: str, data: object) -> Event:
    (found,) = parse(kind, data).events
    return found


def test_the_signature_is_the_one_of_githubs_documents() -> None:
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    body, secret = b"Hello, World!", "It's a Secret to Everybody"
    told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    with pytest.raises(BadDelivery, match="whole JSON"):  # signed as it should be, and no payload
        parse_delivery(headers("push", body, x_hub_signature_256=told), body, [secret])
    with pytest.raises(BadSignature):
        parse_delivery(headers("push", body, x_hub_signature_256=told), body + b" ", [secret])


@pytest.mark.parametrize(
    "told", ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "sha256=é", sign(b"{", "other")]
)
def test_a_wrong_signature_is_told_before_a_wrong_body(told: str) -> None:
    with pytest.raises(BadSignature):
        parse_delivery({"x-hub-signature-256": told}, b"{", [SECRET])


def test_without_signature_or_secret_nothing_is_taken() -> None:
    body = json.dumps(PUSH).encode()
    unsigned = headers("push", body)
    del unsigned["x-hub-signature-256"]
    with pytest.raises(BadSignature):
        parse_delivery(unsigned, body, [SECRET])
    with pytest.raises(BadSignature):
        parse_delivery(headers("push", body, x_hub_signature_256=sign(body, "")), body, ["", "other"])


def test_any_of_the_secrets_may_have_signed() -> None:
    body = json.dumps(PUSH).encode()
    assert parse_delivery(headers("push", body), body, ["other", SECRET]).events


@pytest.mark.parametrize("name", ["x-github-event", "x-github-delivery"])
@pytest.mark.parametrize("value", [None, "", "two words", "x" * 129, "é"])
def test_a_delivery_says_what_it_is(name: str, value: str | None) -> None:
    body = json.dumps(PUSH).encode()
    told = headers("push", body)
    told = {key: text for key, text in told.items() if key != name} | ({name: value} if value else {})
    with pytest.raises(BadDelivery, match=f"'{name}' is missing"):
        parse_delivery(told, body, [SECRET])


def test_a_form_carries_the_same_payload() -> None:
    form = b"payload=" + quote_plus(json.dumps(changed(PUSH, "head_commit.message", "a+b & ü"))).encode()
    told = headers("push", form, content_type="application/x-www-form-urlencoded; charset=utf-8")
    (push,) = parse_delivery(told, form, [SECRET]).events
    assert (push.sha, push.head_message) == (NEW, "a+b & ü")


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"payload",
        b"payload=",
        b"payload=%7B",
        b"payload=%ff",
        b"payload=\xff",
        b"payload={}&payload={}",
        b"other=1",
        b"&".join(b"a%d=1" % number for number in range(20)),
    ],
)
def test_a_form_without_a_whole_payload_is_refused(form: bytes) -> None:
    with pytest.raises(BadDelivery):
        parse_delivery(
            headers("push", form, content_type="application/x-www-form-urlencoded"), form, [SECRET]
        )


def test_what_lies_in_the_inbox_is_read_as_it_came() -> None:
    body = json.dumps(PUSH).encode()
    assert read_delivery(headers("push", body), body) == parse("push", PUSH)


def test_a_push_says_what_moved_and_by_whom() -> None:
    assert event("push", PUSH) == Event(
        kind="push",
        repository="acme/digits",
        ref="refs/heads/main",
        before=OLD,
        sha=NEW,
        changed_paths=("a.py", "b.py"),
        head_message="Faster",
        actor="mona",
        payload=PUSH,
    )


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("created", True),
        ("forced", True),
        ("forced", ...),
        ("commits", []),
        ("commits", None),
        ("commits", [COMMIT] * 20),  # where older servers cut the list off
        ("commits", [{**COMMIT, "id": OLD}]),  # the last is not the head
        ("commits", [7, COMMIT]),
        ("commits", [{"id": NEW, "message": "as seen on older servers"}]),
        ("commits", [{**COMMIT, "removed": None}]),
        ("commits", [{**COMMIT, "added": [7]}]),
        ("commits", [{**COMMIT, "added": [f"{number}.py" for number in range(300)]}]),
    ],
)
def test_changed_files_are_unknown_where_the_lists_may_not_be_whole(where: str, value: object) -> None:
    assert event("push", changed(PUSH, where, value)).changed_paths is None


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("head_commit", None),
        ("head_commit", ...),
        ("head_commit.message", None),
        ("before", None),
        ("before", ...),
        ("repository.created_at", "2013-04-12T01:47:36Z"),
        ("repository.default_branch", ...),
        ("pusher", ...),
        ("sender", None),
        ("deleted", "false"),
    ],
)
def test_a_push_is_taken_without_what_it_could_do_without(where: str, value: object) -> None:
    push = event("push", changed(PUSH, where, value))
    assert (push.ref, push.sha, push.actor) == ("refs/heads/main", NEW, "mona")


def test_a_new_ref_and_one_that_is_gone_are_told_apart() -> None:
    made, gone = changed(PUSH, "before", NO_COMMIT), changed(PUSH, "after", NO_COMMIT)
    assert event("push", made).is_creation
    assert event("push", gone).is_deletion


def test_a_pull_request_says_where_it_comes_from_and_where_it_wants_to_go() -> None:
    found = event("pull_request", PULL_REQUEST)
    assert (found.action, found.number, found.ref, found.sha) == ("opened", 7, "refs/pull/7/head", NEW)
    assert (found.head_ref, found.base_ref, found.is_fork) == ("faster", "main", True)
    assert (found.head_message, found.payload["pull_request"]["title"]) == ("", "Faster")


@pytest.mark.parametrize(
    ("repository", "is_fork"),
    [
        ({"full_name": "ACME/Digits"}, False),
        ({"full_name": "stranger/digits"}, True),
        ({"full_name": None}, True),
        ({}, True),
        (None, True),
        (..., True),
    ],
)
def test_a_head_whose_repository_is_not_this_one_is_a_forks(repository: object, is_fork: bool) -> None:
    assert (
        event("pull_request", changed(PULL_REQUEST, "pull_request.head.repo", repository)).is_fork is is_fork
    )


@pytest.mark.parametrize("action", ["synchronize", "reopened", "closed", "labeled", "ready_for_review"])
def test_every_activity_of_a_pull_request_is_told(action: str) -> None:
    assert event("pull_request", changed(PULL_REQUEST, "action", action)).action == action


def test_the_merge_queue_asks_for_checks_on_a_branch_of_its_own() -> None:
    found = event("merge_group", MERGE_GROUP)
    assert (found.ref, found.sha) == ("refs/heads/gh-readonly-queue/main/pr-7-1", NEW)
    assert (found.head_ref, found.base_ref) == ("gh-readonly-queue/main/pr-7-1", "main")
    assert (found.action, found.head_message) == ("checks_requested", "Merge #7")
    assert parse("merge_group", changed(MERGE_GROUP, "action", "destroyed")).events == ()


def test_a_dispatch_names_a_ref_and_no_commit() -> None:
    by_hand = event("workflow_dispatch", WORKFLOW_DISPATCH)
    assert (by_hand.ref, by_hand.sha, by_hand.inputs) == ("refs/heads/main", NO_COMMIT, {})
    assert by_hand.subject == ".github/workflows/train.yml"
    on_tag = changed(WORKFLOW_DISPATCH, "ref", "refs/tags/v1")
    assert event("workflow_dispatch", on_tag).ref == "refs/tags/v1"
    by_program = event("repository_dispatch", REPOSITORY_DISPATCH)
    assert (by_program.action, by_program.ref, by_program.sha) == ("retrain", "refs/heads/main", NO_COMMIT)
    assert by_program.payload["client_payload"] == {"epochs": 3}
    assert event("repository_dispatch", {**REPOSITORY_DISPATCH, "branch": "dev"}).ref == "refs/heads/dev"


def test_a_ref_made_is_run_and_for_one_removed_the_default_branch() -> None:
    assert event("create", MADE).ref == "refs/tags/v1"
    assert event("create", {**MADE, "ref": "dev", "ref_type": "branch"}).ref == "refs/heads/dev"
    removed = event("delete", MADE)
    assert (removed.ref, removed.payload["ref"]) == ("refs/heads/main", "v1")


@pytest.mark.parametrize("identifier", ["rerun", "rerun_failed", "cancel", "approve"])
def test_our_buttons_are_commands(identifier: str) -> None:
    pressed = parse("check_run", changed(CHECK_RUN, "requested_action.identifier", identifier))
    (command,) = pressed.commands
    assert (command.kind, command.run, command.sha, command.actor) == (identifier, "r1", NEW, "mona")
    assert command.is_button


@pytest.mark.parametrize("kind", ["approve_job", "reject_job"])
def test_buttons_of_gates_say_which_jobs_they_are_about(kind: str) -> None:
    pressed = parse("check_run", changed(CHECK_RUN, "requested_action.identifier", f"{kind}:1a2b3c4d"))
    (command,) = pressed.commands
    assert (command.kind, command.run, command.mark, command.is_button) == (kind, "r1", "1a2b3c4d", True)


@pytest.mark.parametrize("identifier", ["lgtm|26764", "test", "Rerun", "approve_job", "cancel:1a2b3c4d"])
def test_other_buttons_are_not_ours(identifier: str) -> None:
    assert parse("check_run", changed(CHECK_RUN, "requested_action.identifier", identifier)).commands == ()


def test_running_again_is_meant_for_the_check_or_for_the_whole_commit() -> None:
    one = parse("check_run", changed(CHECK_RUN, "action", "rerequested")).commands
    every = parse("check_suite", CHECK_SUITE).commands
    asked = Command(kind="rerun", repository="acme/digits", actor="mona", sha=NEW, is_button=True)
    assert every == (asked,)
    assert [(command.kind, command.run) for command in one] == [("rerun", "r1")]


@pytest.mark.parametrize("action", ["created", "completed"])
def test_checks_that_are_only_reported_ask_for_nothing(action: str) -> None:
    for kind, data in (("check_run", CHECK_RUN), ("check_suite", CHECK_SUITE)):
        parsed = parse(kind, changed(data, "action", action))
        assert (parsed.events, parsed.commands) == ((), ())


def test_comments_on_pull_requests_are_commands_in_their_order() -> None:
    commands = parse("issue_comment", COMMENT).commands
    assert [command.kind for command in commands] == ["rerun", "cancel"]
    assert {(one.number, one.actor, one.is_button) for one in commands} == {(7, "mona", False)}


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("action", "edited"),
        ("action", "deleted"),
        ("issue.pull_request", None),
        ("issue.pull_request", ...),
        ("comment.user.type", "Bot"),
        ("comment.user.login", "helper[bot]"),
        ("comment.user", None),
        ("comment.body", None),
    ],
)
def test_comments_that_are_not_a_persons_new_words_on_a_pull_request_ask_for_nothing(
    where: str, value: object
) -> None:
    assert parse("issue_comment", changed(COMMENT, where, value)).commands == ()


def test_what_is_not_known_is_parsed_empty_and_told_apart() -> None:
    for kind in ("star", "ping", "installation", "installation_repositories"):
        parsed = parse(kind, {"action": "created", "repository": None})
        assert (parsed.kind, parsed.repository, parsed.events, parsed.commands) == (kind, "", (), ())
    assert [is_known(kind) for kind in ("star", "ping", "push")] == [False, True, True]


@pytest.mark.parametrize(
    ("kind", "where", "value"),
    [
        ("push", "ref", None),
        ("push", "ref", "refs/heads/a\0b"),
        ("push", "after", "HEAD"),
        ("push", "repository.full_name", ...),
        ("pull_request", "action", ...),
        ("pull_request", "pull_request.number", "7"),
        ("pull_request", "pull_request.head.sha", None),
        ("pull_request", "pull_request.head.ref", ""),
        ("pull_request", "pull_request.base.ref", "\ud800"),
        ("check_run", "check_run.head_sha", None),
        ("check_run", "requested_action.identifier", 5),
        ("check_suite", "check_suite.head_sha", ...),
        ("check_suite", "sender.login", None),
        ("issue_comment", "issue.number", None),
        ("issue_comment", "comment.user.login", None),
        ("merge_group", "merge_group.head_sha", ...),
        ("merge_group", "merge_group.base_ref", None),
        ("workflow_dispatch", "workflow", None),
        ("repository_dispatch", "repository.default_branch", None),
        ("create", "ref_type", "repository"),
        ("delete", "ref", None),
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
    for one in parsed.events:
        assert one.ref is not None
        one.ref.encode()


@given(st.binary(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_whatever_bytes_come_signed_are_read_or_refused(body: bytes, strange: dict[str, str]) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(DeliveryRefused):
            parse_delivery({**headers("push", body, content_type=content_type), **strange}, body, [SECRET])


@given(st.integers(0, 10_000))
def test_a_body_cut_off_is_refused(length: int) -> None:
    whole = json.dumps(PUSH).encode()
    body = whole[: length % len(whole)]
    with pytest.raises(BadDelivery):
        parse_delivery(headers("push", body), body, [SECRET])
