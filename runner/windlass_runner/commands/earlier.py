"""Results of earlier runs of the same workflow, for a run that starts in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from windlass_registry.errors import AuthorError, Problem
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobRecord, JobUpdate
from windlass_runner.plan.model import Plan, PlannedJob

_RUNS_LOOKED_AT: Final = 50


def results_before(ledger: Ledger, plan: Plan, jobs: Sequence[PlannedJob]) -> tuple[JobUpdate, ...]:
    """For each of the jobs the newest success whose outputs still lie here.

    Raises:
        AuthorError: one of them has none.
    """
    wanted = {job.key for job in jobs}
    found: dict[str, JobUpdate] = {}
    for run in ledger.runs.list(workflow=plan.workflow, limit=_RUNS_LOOKED_AT):
        if not wanted - found.keys():
            break
        for record in ledger.runs.jobs(run.id):
            if record.key in wanted - found.keys() and record.state == "success" and _is_there(record):
                found[record.key] = _taken(record, run_number=run.number)
    missing = sorted(wanted - found.keys())
    if missing:
        names = ", ".join(missing)
        message, remedy = f"no earlier run here has results of {names}", "run it once without --from"
        raise AuthorError(Problem(path=plan.path, line=0, column=0, message=message, remedy=remedy))
    return tuple(found[job.key] for job in jobs)


def _is_there(record: JobRecord) -> bool:
    paths = [output.get("path") for output in record.outputs.values() if isinstance(output, dict)]
    return all(path is None or Path(str(path)).exists() for path in paths)


def _taken(record: JobRecord, *, run_number: int) -> JobUpdate:
    return JobUpdate(
        key=record.key,
        state="success",
        reason=record.reason if record.reason.startswith("taken from") else f"taken from run #{run_number}",
        outputs=record.outputs,
        metrics=record.metrics,
        started_at=record.started_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
    )
