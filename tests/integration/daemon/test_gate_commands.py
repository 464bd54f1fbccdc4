"""What people say on a forge to the gates of runs: by button and by comment, if they may, and in time."""

from __future__ import annotations

from typing import Any

import pytest

from integration.daemon.test_pull_requests import Room, room
from windlass_runner.ledger.gate_records import Gate
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


def test_a_run_at_a_gate_is_not_one_that_waits_for_somebody_to_look(room: Room, run_id: str) -> None:
    sha = room.ledger.runs.get(run_id).sha
    assert room.ask("approve", sha=sha) == ()
    room.take(room.pull(sha, action="closed"))
    run = room.ledger.runs.get(run_id)
    assert (run.state, run.reason) == ("waiting", "waits")
