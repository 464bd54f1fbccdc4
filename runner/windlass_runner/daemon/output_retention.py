"""When what a run put out may go by its author's `retention-days`. Pure; for `daemon.retention`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from windlass_runner.daemon.rerun import job_ids
from windlass_runner.ledger.records import JobRecord
from windlass_runner.plan.model import Plan

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """An output of a job that is kept until then."""

    job_key: str
    name: str
    at: float


def deadlines(plan: Plan, jobs: Sequence[JobRecord]) -> Iterator[Deadline]:
    """Those that authors have set. A job that did not end put out nothing."""
    ids = job_ids(plan, jobs)
    for job in jobs:
        spec = plan.specs.get(ids.get(job.key, ""))
        if spec is None or job.ended_at is None:
            continue
        for output in spec.outputs:
            if output.retention_days is not None:
                at = job.ended_at + output.retention_days * DAY_S
                yield Deadline(job_key=job.key, name=output.name, at=at)
