"""A run once more, as it was planned: all of it, or only what failed and what comes after. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windlass_runner.ledger.records import JobRecord, JobUpdate, NewJob, NewRun, RunRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan, PlannedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A new run, and how those of its jobs stand that are taken over from the old one."""

    run: NewRun
    kept: tuple[JobUpdate, ...] = ()


def plan_rerun(
    old: RunRecord, *, plan: str, event: str, jobs: Sequence[JobRecord], failed_only: bool, at: float
) -> Rerun:
    """The same plan again. With `failed_only` jobs that succeeded are kept, with their outputs, unless
    something before them runs again."""
    read = loads(Plan, plan)
    again = _rerun_ids(read, jobs) if failed_only else frozenset(read.specs)
    ids = job_ids(read, jobs)
    kept = [job for job in jobs if ids.get(job.key) not in again]
    shown = _shown(read, jobs, again)
    return Rerun(
        run=NewRun(
            repository=old.repository,
            ref=old.ref,
            sha=old.sha,
            workflow=old.workflow,
            workflow_path=old.workflow_path,
            plan=plan,
            event=event,
            name=old.name,
            jobs=tuple(
                NewJob(key=job.key, name=job.name, needs=job.needs, planned=job.planned) for job in shown
            ),
            rerun_of=old.id,
            group=old.group,
            priority=old.priority,
            snapshot=old.snapshot,
        ),
        kept=tuple(_as_it_stood(job, at=at) for job in kept),
    )


def _shown(plan: Plan, jobs: Sequence[JobRecord], again: frozenset[str]) -> list[JobRecord]:
    """The jobs that the new run begins with: those that a matrix gave while it ran are made anew,
    unless they are kept."""
    ids = job_ids(plan, jobs)
    return [job for job in jobs if job.planned is None or ids.get(job.key) not in again]


def _rerun_ids(plan: Plan, jobs: Sequence[JobRecord]) -> frozenset[str]:
    ids = job_ids(plan, jobs)
    expanded = {ids[job.key] for job in jobs if job.planned is not None}
    again = {
        ids[job.key]
        for job in jobs
        if job.key in ids and job.state != "success" and not _stood_for_others(job, ids, expanded)
    }
    grew = True
    while grew:
        behind = {name for name, spec in plan.specs.items() if again.intersection(spec.needs)}
        grew = not behind <= again
        again |= behind
    return frozenset(again)


def _stood_for_others(job: JobRecord, ids: Mapping[str, str], expanded: set[str]) -> bool:
    return job.planned is None and job.state == "skipped" and ids[job.key] in expanded


def job_ids(plan: Plan, jobs: Sequence[JobRecord]) -> dict[str, str]:
    """Which job of the workflow each key belongs to."""
    ids = {job.key: job.job_id for job in plan.jobs}
    for job in jobs:
        if job.planned is not None:
            ids[job.key] = loads(PlannedJob, job.planned).job_id
    return ids


def _as_it_stood(job: JobRecord, *, at: float) -> JobUpdate:
    return JobUpdate(
        key=job.key,
        state=job.state,
        reason=job.reason or "taken over from the run before",
        attempt=job.attempt,
        outputs=job.outputs,
        metrics=job.metrics,
        summary=job.summary,
        annotations=job.annotations,
        started_at=job.started_at,
        ended_at=job.ended_at if job.ended_at is not None else at,
        exit_code=job.exit_code,
    )
