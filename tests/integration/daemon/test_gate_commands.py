"""What people say on a forge to the gates of runs: by button and by comment, if they may, and in time."""

from __future__ import annotations

from typing import Any

import pytest

from integration.daemon.test_pull_requests import Room, room
from windlass_registry.errors import AuthorError
from windlass_runner.daemon.refusals import refusal_text
from windlass_runner.daemon.status import run_report
from windlass_runner.ledger.gate_records import Answer, Gate
from windlass_runner.ledger.records import JobUpdate, RunUpdate
from windlass_runner.run.answers import mark_of

__all__ = ["room"]
WORKFLOW = """
on: pull_request
jobs:
  deploy: {uses: script@v1, environment: production, with: {script: 'true'}}
  other: {uses: approve@v1, needs: [deploy]}
"""


@pytest.fixture
def run_id(room: Room) -> str:
    """A run of the pull request whose job waits since the clock's 100."""
    room.push({".windlass/workflows/ci.yaml": WORKFLOW}, branch="main")
    sha = room.push({"src/a": "1"}, branch="change")
    event = room.pull(sha)
    room.people.pulls[7] = event
    room.people.writers.add("mona")
    (found,) = room.take(event)
    wait(room, found, "deploy", environment="production")
    return found


def wait(room: Room, run_id: str, key: str, **gate: Any) -> None:
    room.ledger.runs.record(
        run_id,
        run=RunUpdate(state="waiting", reason="waits"),
        jobs=[JobUpdate(key=key, state="waiting")],
        at=100.0,
    )
    room.ledger.gates.open(run_id, Gate(job_key=key, opened_at=100.0, not_before=100.0, ends_at=1e9, **gate))


def asked(room: Room) -> list[dict[str, Any]]:
    return [dict(request.payload) for request in room.ledger.requests.take()]


@pytest.mark.parametrize("name", ["production", "deploy"])
def test_a_comment_answers_to_the_gates_of_its_name(room: Room, run_id: str, name: str) -> None:
    room.ask("approve_job", number=7, job=name, said_at=150.0)
    assert asked(room) == [
        {"run_id": run_id, "jobs": ["deploy"], "approve": True, "actor": "owner", "via": "comment on #7"}
    ]


@pytest.mark.parametrize(
    "command",
    [
        {"actor": "stranger", "job": "production"},
        {"job": "staging"},
        {"job": "production", "said_at": 30.0},
    ],
)
def test_strangers_other_names_and_what_was_said_before_do_nothing(
    room: Room, run_id: str, command: dict[str, Any]
) -> None:
    room.ask("approve_job", number=7, **command)
    assert asked(room) == []


def test_a_button_answers_for_the_jobs_that_it_showed(room: Room, run_id: str) -> None:
    mark = mark_of(["deploy"])
    room.ask("reject_job", run=run_id, mark=mark, is_button=True, actor="mona")
    assert asked(room) == [
        {"run_id": run_id, "jobs": ["deploy"], "approve": False, "actor": "mona", "via": "button"}
    ]
    room.ledger.requests.done(1, {})
    room.ask("approve_job", run=run_id, mark=mark_of(["deploy", "other"]), is_button=True)
    assert asked(room) == []


def told(room: Room) -> list[str]:
    """What people were told under their comments, without the marks of code."""
    return [text.replace("<code>", "").replace("</code>", "") for text in room.people.replies.values()]


def refused(room: Room, run_id: str) -> list[tuple[str | None, str]]:
    """What stands with the run: the job, and whose answer does not count."""
    events = room.ledger.events.sample(run_id, "job.refused")
    return [(event.job_key, refusal_text(event.data)) for event in events]


def test_who_may_not_write_is_told_once_for_a_pull_request(room: Room, run_id: str) -> None:
    for name in ("production", "staging"):
        room.ask("approve_job", number=7, job=name, actor="stranger")
    (text,) = told(room)
    assert text.startswith("@stranger /approve production was not done: only those who may write")
    assert refused(room, run_id) == []  # no stranger writes on the check


def test_who_is_no_approver_is_told_under_the_comment_and_on_the_check(room: Room, run_id: str) -> None:
    wait(room, run_id, "other", approvers=("ada", "bob"))
    for said_at in (150.0, 160.0):
        room.ask("approve_job", number=7, job="other", said_at=said_at)
    assert (
        told(room)
        == ["@owner /approve other was not done: owner is not among those who may; ask ada or bob"] * 2
    )
    reason = "approved by owner (comment on #7) does not count: not among those who may; ask ada or bob"
    assert refused(room, run_id) == [("other", reason)]
    assert asked(room) == []
    report = run_report(room.ledger, room.ledger.runs.get(run_id), url=None)
    assert [job.refusals for job in report.jobs] == [(), (reason,)]


def test_a_button_is_answered_on_the_check_alone(room: Room, run_id: str) -> None:
    wait(room, run_id, "other", approvers=("ada",))
    mark = mark_of(["other"])
    room.ask("reject_job", run=run_id, mark=mark, is_button=True, actor="mona")
    room.ask("approve_job", run=run_id, mark=mark_of(["deploy", "gone"]), is_button=True, actor="mona")
    changed = "other jobs wait by now than when the button was shown: look again"
    assert refused(room, run_id) == [
        ("other", "rejected by mona (button) does not count: not among those who may; ask ada"),
        ("deploy", f"approved by mona (button) does not count: {changed}"),
        ("other", f"approved by mona (button) does not count: {changed}"),
    ]
    assert told(room) == []


def test_a_button_lets_nobody_through_who_may_not_write(room: Room, run_id: str) -> None:
    for _ in range(2):
        room.ask("approve_job", run=run_id, mark=mark_of(["deploy"]), is_button=True, actor="eve")
    (noted,) = refused(room, run_id)
    assert noted[1].startswith("approved by eve (button) does not count: only those who may write")
    assert (asked(room), told(room)) == ([], [])
    assert room.ask("approve", sha=room.ledger.runs.get(run_id).sha, is_button=True, actor="eve") == ()


def test_what_was_said_already_is_no_refusal(room: Room, run_id: str) -> None:
    """A delivery is taken again after a crash: its answer may have been given by then."""
    room.ledger.gates.answer(run_id, "deploy", Answer(actor="Owner", is_approval=True, at=150.0))
    room.ledger.runs.record(run_id, jobs=[JobUpdate(key="deploy", state="running")], at=151.0)
    room.ask("approve_job", number=7, job="production", said_at=150.0)
    assert told(room) == []


@pytest.mark.parametrize(
    ("kind", "more", "text"),
    [
        ("approve_job", {"job": "staging"}, "/approve staging was not done: no job of that name waits"),
        ("rerun", {}, "/retest was not done: it still runs"),
        ("approve", {"sha": "c" * 40}, f"/ok-to-test {'c' * 40} was not done: nothing waits on cccccccccccc"),
    ],
)
def test_what_cannot_be_done_is_told_under_the_comment(
    room: Room, run_id: str, kind: Any, more: dict[str, Any], text: str
) -> None:
    room.ask(kind, number=7, **more)
    (said,) = told(room)
    assert said.startswith(f"@owner {text}")


def test_a_workflow_that_is_not_there_is_told_and_given_up(room: Room, run_id: str) -> None:
    with pytest.raises(AuthorError):
        room.ask("test", number=7, workflow="lint")
    assert told(room) == ["@owner /test lint was not done: no such workflow; known here: ci"]


def test_where_nothing_can_be_said_nothing_is_held_up(room: Room, run_id: str) -> None:
    room.people.is_locked = True
    assert room.ask("approve_job", number=7, job="staging") == ()


def test_a_run_at_a_gate_is_not_one_that_waits_for_somebody_to_look(room: Room, run_id: str) -> None:
    sha = room.ledger.runs.get(run_id).sha
    assert room.ask("approve", sha=sha) == ()
    room.take(room.pull(sha, action="closed"))
    run = room.ledger.runs.get(run_id)
    assert (run.state, run.reason) == ("waiting", "waits")
