"""Reads what the checks of a run show beyond its report: ends of logs, courses of metrics, the base's.

Called by `daemon.status`, for forges that show checks; a note needs none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptRecord, JobRecord, RunRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan
from windlass_runner.run.base_run import find_base
from windlass_runner.run.check_evidence import BaseFigures, Evidence, JobEvidence
from windlass_runner.run.courses import Point, read_courses
from windlass_runner.run.log_file import read_log_end
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import Links
from windlass_runner.workflow.events import Event

_LOGS_READ: Final = 10
"""Of the jobs that failed first: what failed after them seldom tells more."""
_LOG_LINES: Final = 400


def read_evidence(
    ledger: Ledger, storage: Storage, run: RunRecord, *, links: Links | None = None
) -> Evidence:
    """All of it for one run. Nothing is written, and what is gone is left out. With `links`, courses have
    pictures."""
    plan = loads(Plan, ledger.runs.plan(run.id))
    jobs = ledger.runs.jobs(run.id)
    latest = {attempt.job_key: attempt for attempt in ledger.runs.attempts(run.id)}
    courses = read_courses(ledger, run.id, jobs)
    log_ends = _log_ends(storage, jobs)
    return Evidence(
        jobs={
            job.key: JobEvidence(
                log_end=log_ends.get(job.key, ()),
                courses={name: [one.value for one in found] for name, found in courses[job.key].items()},
                plots=_plots(links, job, courses[job.key]) if links is not None else {},
                summary=job.summary,
                images=_images(latest.get(job.key)),
                host=latest[job.key].host if job.key in latest else "",
            )
            for job in jobs
        },
        base=_base(ledger, run) if any(courses.values()) else None,
        ref=run.ref or "",
        reason=plan.reason,
        actions=plan.actions,
        notes=plan.notes,
    )


def _log_ends(storage: Storage, jobs: Sequence[JobRecord]) -> dict[str, tuple[str, ...]]:
    failed = [job for job in jobs if job.state in ("failure", "timed_out", "neutral") and job.attempt]
    failed.sort(key=lambda job: (job.state == "neutral", job.ended_at or 0.0))
    return {job.key: _log_end(storage, job) for job in failed[:_LOGS_READ]}


def _log_end(storage: Storage, job: JobRecord) -> tuple[str, ...]:
    lines = read_log_end(storage.log(job.run_id, job.key, job.attempt))
    shown = [line.text for line in lines if line.kind not in ("debug", "endgroup")]
    return tuple(shown[-_LOG_LINES:])


def _plots(links: Links, job: JobRecord, courses: Mapping[str, Sequence[Point]]) -> dict[str, str]:
    """Another address when the job has ended: whoever keeps the picture then looks again."""
    since = job.ended_at or job.started_at or 0.0
    return {
        name: links.make("plots", job.run_id, job.key, f"{name}.svg", since=since)
        for name, course in courses.items()
        if len(course) > 1
    }


def _images(attempt: AttemptRecord | None) -> dict[str, str]:
    """Known when an attempt has ended."""
    return dict(attempt.detail.get("images", {})) if attempt is not None else {}


def _base(ledger: Ledger, run: RunRecord) -> BaseFigures | None:
    return find_base(ledger, run, Event.from_json(json.loads(ledger.runs.event(run.id))))
