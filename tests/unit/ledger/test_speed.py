"""The plans of the hot queries: none of them may read over past runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from unit.ledger.ledger_values import new_delivery, new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, JobUpdate, NewJob, RunUpdate

# Indexes that hold only what is not dealt with yet.
_SMALL = ("inbox_waiting", "inbox_failed", "requests_open")


@contextmanager
def statements() -> Iterator[dict[str, object]]:
    """The SQL that is executed meanwhile, with the parameters of its last execution."""
    seen: dict[str, object] = {}

    def keep(_c: object, _cursor: object, sql: str, parameters: Any, _x: object, many: bool) -> None:
        seen[sql] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", keep)


def use_everything(ledger: Ledger) -> None:
    """Every call of the daemon's day."""
    run_id = ledger.runs.create(new_run(group="g"), at=1.0, key="k", report=True)
    assert run_id
    hot_path(ledger, run_id)
    ledger.runs.record(run_id, add_jobs=[NewJob(key="late", name="late")], at=2.0)
    ledger.runs.find(run_id[:6])
    ledger.runs.plan(run_id)
    ledger.runs.jobs(run_id)
    ledger.runs.attempts(run_id)
    ledger.runs.unfinished()
    ledger.runs.list(before=run_id)
    ledger.runs.list(repository="digits")
    ledger.runs.list(repository="digits", workflow="train", before=run_id)
    ledger.runs.list(state="running")
    ledger.runs.of_commit("digits", "a" * 40)
    ledger.events.after(0)
    ledger.events.after(0, run_id=run_id)
    ledger.events.last()
    ledger.inbox.put(new_delivery(), at=1.0)
    ledger.inbox.take(5, at=1.0)
    ledger.inbox.done("d1", at=2.0)
    ledger.inbox.counts()
    ledger.outbox.due(at=1.0)
    ledger.outbox.next_due_at()
    ledger.outbox.done("digits", "a" * 40, 1)
    ledger.refs.note_move("digits", "main", None, "a", observed=True, at=1.0)
    ledger.refs.note_move("digits", "main", "a", "b", observed=False, at=2.0)
    ledger.refs.note_move("digits", "main", "b", "a", observed=True, at=3.0)
    ledger.refs.observe("digits", {"main": "a"}, at=4.0)
    ledger.refs.observed("digits")
    request = ledger.requests.put("cancel", {"run_id": run_id}, at=1.0)
    ledger.requests.take()
    ledger.requests.done(request, {})
    ledger.requests.result(request)


def hot_path(ledger: Ledger, run_id: str) -> None:
    """What is recorded when a job starts."""
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="running", started_at=2.0),
        jobs=[JobUpdate(key="fit", state="running", attempt=1, started_at=2.0)],
        attempts=[AttemptUpdate(job_key="fit", number=1, state="started", at=2.0, container="c")],
        events=[EventDraft(kind="job.started", job_key="fit", data={"attempt": 1})],
        at=2.0,
        report=True,
    )


def test_no_statement_scans_a_table_that_grows(ledger: Ledger) -> None:
    with statements() as seen:
        use_everything(ledger)
    explained = 0
    with ledger._store.read() as connection:
        for sql, parameters in seen.items():
            if not re.match("SELECT|INSERT|UPDATE|DELETE", sql):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
            scans = [row.detail for row in plan if row.detail.startswith("SCAN")]
            assert all(scan.endswith(_SMALL) for scan in scans), f"{sql}\n{scans}"
            explained += 1
    assert explained > 30


@pytest.mark.timeout(170)
def test_the_hot_path_costs_the_same_after_many_runs(ledger: Ledger) -> None:
    def cost_s() -> float:
        run_id = ledger.runs.create(new_run(), at=9.0)
        assert run_id
        hot_path(ledger, run_id)
        rounds = []
        for _ in range(7):
            began = time.process_time()
            for _ in range(30):
                hot_path(ledger, run_id)
            rounds.append((time.process_time() - began) / 30)
        return min(rounds)

    empty = cost_s()
    with ledger.transaction():
        for n in range(5_000):
            run_id = ledger.runs.create(new_run(sha=f"{n:040x}", jobs=()), at=float(n))
            assert run_id
            ledger.runs.record(run_id, run=RunUpdate(state="success"), at=float(n))
    full = cost_s()
    assert full < 1.5 * empty
    assert full < 0.002
