"""Between records and rows of the tables of runs: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass_runner.ledger.records import (
    AttemptRecord,
    AttemptUpdate,
    EventDraft,
    EventRecord,
    JobRecord,
    JobUpdate,
    NewJob,
    NewRun,
    RunRecord,
)
from windlass_runner.ledger.store import Row
from windlass_runner.ledger.texts import (
    from_json,
    storable,
    storable_or_none,
    to_json,
    to_json_or_none,
)


def run_row(run: NewRun, *, id: str, key: str | None, number: int, at: float) -> dict[str, Any]:
    return {
        "id": id,
        "key": key,
        "number": number,
        "repository": run.repository,
        "ref": run.ref,
        "sha": run.sha,
        "workflow": run.workflow,
        "workflow_path": run.workflow_path,
        "name": storable(run.name),
        "state": "queued",
        "reason": "",
        "created_at": at,
        "is_cancel_requested": False,
        "rerun_of": run.rerun_of,
        "concurrency_group": storable_or_none(run.group),
        "priority": run.priority,
        "snapshot": run.snapshot,
    }


def run_record(row: Row) -> RunRecord:
    return RunRecord(
        id=row["id"],
        number=row["number"],
        repository=row["repository"],
        ref=row["ref"],
        sha=row["sha"],
        workflow=row["workflow"],
        workflow_path=row["workflow_path"],
        name=row["name"],
        state=row["state"],
        reason=row["reason"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        is_cancel_requested=bool(row["is_cancel_requested"]),
        rerun_of=row["rerun_of"],
        group=row["concurrency_group"],
        priority=row["priority"],
        snapshot=row["snapshot"],
    )


def job_rows(run_id: str, added: Sequence[NewJob], *, first: int) -> list[Row]:
    return [
        {
            "run_id": run_id,
            "key": job.key,
            "position": position,
            "name": storable(job.name),
            "needs": to_json(job.needs),
            "planned": job.planned,
            "state": "queued",
            "reason": "",
            "attempt": 0,
            "outputs": "{}",
            "metrics": "{}",
            "summary": "",
            "annotations": "[]",
        }
        for position, job in enumerate(added, start=first)
    ]


def job_change(run_id: str, change: JobUpdate) -> Row:
    return {
        "of_run": run_id,
        "of_key": change.key,
        "state": change.state,
        "reason": storable_or_none(change.reason),
        "attempt": change.attempt,
        "outputs": to_json_or_none(change.outputs),
        "metrics": to_json_or_none(change.metrics),
        "summary": storable_or_none(change.summary),
        "annotations": to_json_or_none(change.annotations),
        "started_at": change.started_at,
        "ended_at": change.ended_at,
        "exit_code": change.exit_code,
    }


def job_record(row: Row) -> JobRecord:
    return JobRecord(
        run_id=row["run_id"],
        key=row["key"],
        name=row["name"],
        needs=tuple(from_json(row["needs"])),
        state=row["state"],
        reason=row["reason"],
        attempt=row["attempt"],
        outputs=from_json(row["outputs"]),
        metrics=from_json(row["metrics"]),
        summary=row["summary"],
        annotations=from_json(row["annotations"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        exit_code=row["exit_code"],
        planned=row["planned"],
    )


def attempt_row(run_id: str, change: AttemptUpdate) -> Row:
    return {
        "run_id": run_id,
        "job_key": change.job_key,
        "number": change.number,
        "state": change.state,
        "lane": change.lane,
        "container": change.container,
        "host": change.host,
        "exit_code": change.exit_code,
        "cause": storable_or_none(change.cause),
        "created_at": change.at,
        "started_at": change.at if change.state == "started" else None,
        "ended_at": change.at if change.state == "ended" else None,
        "detail": to_json_or_none(change.detail),
    }


def attempt_record(row: Row) -> AttemptRecord:
    return AttemptRecord(
        run_id=row["run_id"],
        job_key=row["job_key"],
        number=row["number"],
        state=row["state"],
        lane=row["lane"] or "",
        container=row["container"] or "",
        host=row["host"] or "",
        exit_code=row["exit_code"],
        cause=row["cause"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        detail=from_json(row["detail"]) or {},
    )


def event_row(run_id: str, draft: EventDraft, *, at: float) -> Row:
    return {
        "run_id": run_id,
        "job_key": draft.job_key,
        "kind": draft.kind,
        "at": at,
        "data": to_json(draft.data),
    }


def event_record(row: Row) -> EventRecord:
    return EventRecord(
        id=row["id"],
        run_id=row["run_id"],
        job_key=row["job_key"],
        kind=row["kind"],
        at=row["at"],
        data=from_json(row["data"]),
    )
