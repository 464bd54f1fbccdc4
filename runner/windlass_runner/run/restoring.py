"""How far a run is, by what the ledger has of it. Called by `run.active`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from windlass_runner.ledger.records import JobRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan, PlannedJob
from windlass_runner.run.progress import Progress
from windlass_runner.run.states import FINAL


def restored_progress(
    plan: Plan,
    records: Sequence[JobRecord],
    *,
    contexts: Mapping[str, Any],
    on_expand: Callable[[str, list[PlannedJob]], None],
) -> Progress:
    """The progress of a run that goes on, or begins. `on_expand`: see `Progress`."""
    progress = Progress(plan, contexts=contexts, jobs=_jobs(plan, records), on_expand=on_expand)
    for record in records:
        if record.state in FINAL and record.key in progress.legs:
            progress.restore(record.key, record.state, record.outputs)
    return progress


def _jobs(plan: Plan, records: Sequence[JobRecord]) -> list[PlannedJob]:
    """The plan's jobs, with those that came from another job's output in place of their origin."""
    added = [loads(PlannedJob, record.planned) for record in records if record.planned]
    expanded = {job.job_id for job in added}
    kept = [job for job in plan.jobs if not (job.is_deferred and job.job_id in expanded)]
    return [*kept, *added]
