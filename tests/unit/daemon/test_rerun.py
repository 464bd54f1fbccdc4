from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from windlass_runner.daemon.rerun import Rerun, plan_rerun
from windlass_runner.ledger.records import JobRecord, RunRecord, State
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.workflow.events import Event

EVENT = Event(kind="push", repository="r", ref="refs/heads/main", sha="1" * 40)
OLD = RunRecord(
    id="old",
    number=1,
    repository="r",
    ref="refs/heads/main",
    sha="1" * 40,
    workflow="ci",
    workflow_path=".windlass/workflows/ci.yaml",
    name="ci",
    state="failure",
    reason="",
    created_at=1.0,
    started_at=1.0,
    ended_at=2.0,
    is_cancel_requested=False,
    rerun_of=None,
    group=None,
    priority=0,
    snapshot=None,
)


def _plan(needs: Mapping[str, tuple[str, ...]]) -> str:
    specs = {
        name: JobSpec(id=name, name=name, needs=before, condition=None, steps=(), image="x", env={})
        for name, before in needs.items()
    }
    jobs = tuple(PlannedJob(key=name, job_id=name, name=name) for name in needs)
    plan = Plan(
        workflow="ci",
        path="p",
        run_name="ci",
        event=EVENT,
        reason="",
        inputs={},
        env={},
        specs=specs,
        jobs=jobs,
    )
    return dumps(plan)


def _job(key: str, state: State, **more: Any) -> JobRecord:
    blank: dict[str, Any] = {
        "run_id": "old",
        "name": key,
        "needs": (),
        "reason": "",
        "attempt": 1,
        "outputs": {},
        "metrics": {},
        "summary": "",
        "annotations": [],
        "started_at": 1.0,
        "ended_at": 2.0,
        "exit_code": 0,
        "planned": None,
    }
    return JobRecord(key=key, state=state, **{**blank, **more})


def _rerun(needs: Mapping[str, tuple[str, ...]], jobs: list[JobRecord], *, failed_only: bool = True) -> Rerun:
    return plan_rerun(OLD, plan=_plan(needs), event="{}", jobs=jobs, failed_only=failed_only, at=9.0)


def test_what_succeeded_is_kept_with_its_outputs() -> None:
    jobs = [_job("a", "success", outputs={"x": "1"}), _job("b", "failure"), _job("c", "skipped")]
    again = _rerun({"a": (), "b": ("a",), "c": ("b",)}, jobs)
    assert [(kept.key, kept.state, kept.outputs) for kept in again.kept] == [("a", "success", {"x": "1"})]
    assert [job.key for job in again.run.jobs] == ["a", "b", "c"]
    assert again.run.rerun_of == "old"


def test_what_comes_after_a_failed_job_runs_again_though_it_succeeded() -> None:
    jobs = [_job("a", "failure"), _job("report", "success"), _job("other", "success")]
    again = _rerun({"a": (), "report": ("a",), "other": ()}, jobs)
    assert [kept.key for kept in again.kept] == ["other"]


def test_all_of_it_keeps_nothing() -> None:
    again = _rerun({"a": ()}, [_job("a", "success")], failed_only=False)
    assert again.kept == ()


def test_jobs_of_a_late_matrix_are_kept_or_made_anew_together() -> None:
    legs = [
        _job(f"m ({i})", state, planned=dumps(PlannedJob(key=f"m ({i})", job_id="m", name="m")))
        for i, state in enumerate(("success", "success"))
    ]
    jobs = [_job("a", "success"), _job("m", "skipped"), *legs, _job("b", "failure")]
    again = _rerun({"a": (), "m": ("a",), "b": ("m",)}, jobs)
    assert [kept.key for kept in again.kept] == ["a", "m", "m (0)", "m (1)"]
    failed = [jobs[0], jobs[1], legs[0], _job("m (1)", "failure", planned=legs[1].planned), jobs[4]]
    anew = _rerun({"a": (), "m": ("a",), "b": ("m",)}, failed)
    assert [kept.key for kept in anew.kept] == ["a"]
    assert [job.key for job in anew.run.jobs] == ["a", "m", "b"]
    assert json.loads(anew.run.plan)["workflow"] == "ci"
