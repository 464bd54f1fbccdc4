"""Folding events into a view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_runner.commands.run_view import POINTS_KEPT, RunView, sparkline
from windlass_runner.ledger.records import EventRecord, JobRecord, RunRecord


def run_record(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        **dict.fromkeys(("ref", "started_at", "ended_at", "rerun_of", "group", "snapshot")),
        **dict.fromkeys(("repository", "sha", "workflow", "workflow_path", "name", "reason"), ""),
        "id": "r1",
        "number": 1,
        "state": "queued",
        "created_at": 0.0,
        "is_cancel_requested": False,
        "priority": 0,
    }
    return RunRecord(**{**values, **changes})


def job_record(key: str, **changes: Any) -> JobRecord:
    values: dict[str, Any] = {
        **dict.fromkeys(("started_at", "ended_at", "exit_code", "planned")),
        "run_id": "r1",
        "key": key,
        "name": key,
        "needs": (),
        "state": "queued",
        "reason": "",
        "attempt": 0,
        "outputs": {},
        "metrics": {},
        "summary": "",
        "annotations": [],
    }
    return JobRecord(**{**values, **changes})


def event(
    number: int, kind: str, job: str | None = None, data: Mapping[str, Any] | None = None
) -> EventRecord:
    return EventRecord(id=number, run_id="r1", job_key=job, kind=kind, at=float(number), data=data or {})


def test_a_job_runs_and_ends_as_its_events_say() -> None:
    view = RunView(run_record(), [job_record("a")])
    assert view.apply([event(1, "run.started"), event(2, "job.started", "a", {"attempt": 1})])
    assert (view.state, view.jobs["a"].state, view.jobs["a"].duration_s(5.0)) == ("running", "running", 3.0)
    view.apply([event(4, "job.ended", "a", {"state": "failure", "reason": "exit code 1", "exit_code": 1})])
    assert (view.jobs["a"].state, view.jobs["a"].duration_s(9.0), view.failed_first) == ("failure", 2.0, "a")


def test_what_failed_first_stays_the_first() -> None:
    view = RunView(run_record(), [job_record("a"), job_record("b")])
    view.apply([event(n, "job.ended", key, {"state": "failure"}) for n, key in ((1, "b"), (2, "a"))])
    assert view.failed_first == "b"


def test_the_first_failure_of_a_finished_run_is_found_by_its_time() -> None:
    jobs = [job_record("a", state="failure", ended_at=9.0), job_record("b", state="timed_out", ended_at=3.0)]
    assert RunView(run_record(state="failure"), jobs).failed_first == "b"


def test_an_event_of_an_unknown_job_asks_for_a_refresh() -> None:
    assert not RunView(run_record(), []).apply([event(1, "job.started", "new", {"attempt": 1})])


def test_a_retried_job_waits_again_with_the_reason() -> None:
    view = RunView(run_record(), [job_record("a", state="running", attempt=1)])
    view.apply([event(1, "job.retrying", "a", {"reason": "attempt 1 failed"})])
    assert (view.jobs["a"].state, view.jobs["a"].reason) == ("queued", "attempt 1 failed")


def test_curves_keep_only_the_newest_points() -> None:
    view = RunView(run_record(), [job_record("a")])
    points = [{"name": "loss", "value": number} for number in range(5 * POINTS_KEPT)]
    view.apply([event(1, "job.metrics", "a", {"points": points})])
    kept = view.jobs["a"].metrics["loss"]
    assert len(kept) <= 2 * POINTS_KEPT
    assert kept[-1] == 5 * POINTS_KEPT - 1


def test_a_curve_has_eight_heights_and_ends_with_the_newest_value() -> None:
    assert sparkline([]) == ""
    assert sparkline([1, 1]) == "▄▄"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    long = sparkline([*range(100), 0], width=10)
    assert len(long) == 10
    assert long[-1] == "▁"
