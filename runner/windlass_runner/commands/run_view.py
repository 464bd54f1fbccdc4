"""How a run stands, folded from its events: what every live view, list and summary shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from windlass_runner.ledger.records import FINAL, EventRecord, JobRecord, RunRecord, State
from windlass_runner.run.log_file import LogLine

POINTS_KEPT: Final = 200
"""Of each metric, for its curve."""


@dataclass(slots=True)
class JobView:
    """One job as it stands now."""

    key: str
    name: str
    state: State = "queued"
    reason: str = ""
    attempt: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    metrics: dict[str, list[float]] = field(default_factory=dict)
    last_line: str = ""
    answers: list[str] = field(default_factory=list)
    """What people said to its gate, as `approved by ada`."""
    record: JobRecord | None = None
    """As the ledger has it, from the last full reading: outputs, summary, annotations."""

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    def duration_s(self, now: float) -> float | None:
        """How long it ran, or has been running."""
        if self.started_at is None:
            return None
        return (self.ended_at if self.ended_at is not None else now) - self.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A line of a job's log."""

    job_key: str
    attempt: int
    line: LogLine


class RunView:
    """A run and its jobs, in the order of the plan. One thread."""

    def __init__(self, run: RunRecord, jobs: Iterable[JobRecord]) -> None:
        self.run = run
        self.state: State = run.state
        self.reason = run.reason
        self.jobs: dict[str, JobView] = {}
        self.news: set[str] = set()
        """Keys of the jobs that `refresh` and `apply` have touched; whoever has seen to them clears it."""
        self.is_cancelling = run.is_cancel_requested
        self.failed_first: str | None = None
        self.refresh(run, jobs)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    def refresh(self, run: RunRecord, jobs: Iterable[JobRecord]) -> None:
        """Take over what the ledger says of the run and all its jobs."""
        self.run, self.state, self.reason = run, run.state, run.reason
        for record in jobs:
            job = self.jobs.setdefault(record.key, JobView(key=record.key, name=record.name))
            job.state, job.reason, job.attempt = record.state, record.reason, record.attempt
            job.started_at, job.ended_at = record.started_at, record.ended_at
            job.exit_code, job.record = record.exit_code, record
            self.news.add(record.key)
        self._find_first_failure()

    def apply(self, events: Sequence[EventRecord]) -> bool:
        """Take over what happened; False where a job is not known here: refresh then."""
        is_complete = True
        for event in events:
            if event.job_key is None:
                self._apply_to_run(event)
            elif event.job_key in self.jobs:
                self.news.add(event.job_key)
                self._apply_to_job(self.jobs[event.job_key], event)
            else:
                is_complete = False
        return is_complete

    def _apply_to_run(self, event: EventRecord) -> None:
        match event.kind:
            case "run.started":
                self.state, self.reason = "running", ""
            case "run.waiting" | "run.goes_on":
                self.state = event.data.get("state", self.state)
                self.reason = event.data.get("reason", "")
            case "run.cancelling" | "run.cancel_requested":
                self.is_cancelling = True
            case "run.ended":
                self.state = event.data.get("state", self.state)
                self.reason = event.data.get("reason", self.reason)

    def _apply_to_job(self, job: JobView, event: EventRecord) -> None:
        match event.kind:
            case "job.started":
                job.state, job.reason = "running", ""
                job.attempt = event.data.get("attempt", job.attempt)
                job.started_at, job.ended_at = event.at, None
            case "job.ended":
                job.state = event.data.get("state", job.state)
                job.reason = event.data.get("reason") or ""
                job.exit_code = event.data.get("exit_code")
                job.ended_at = event.at
                if self.failed_first is None and job.state in ("failure", "timed_out"):
                    self.failed_first = job.key
            case "job.retrying":
                job.state, job.reason = "queued", event.data.get("reason", "")
            case "job.waiting":
                job.state = event.data.get("state", job.state)
                job.reason = event.data.get("reason", "")
            case "job.queued":
                job.state, job.reason = "queued", ""
            case "job.answered":
                said = f": {event.data['comment']}" if event.data.get("comment") else ""
                job.answers.append(f"{event.data.get('answer')} by {event.data.get('actor')}{said}")
            case "job.refused":
                job.answers.append(
                    f"{event.data.get('answer')} by {event.data.get('actor')}, which does not count: "
                    f"{event.data.get('reason')}"
                )
            case "job.metrics":
                self._add_points(job, event)

    def _add_points(self, job: JobView, event: EventRecord) -> None:
        for point in event.data.get("points", ()):
            values = job.metrics.setdefault(str(point.get("name")), [])
            values.append(float(point.get("value", 0.0)))
            if len(values) > 2 * POINTS_KEPT:
                del values[:-POINTS_KEPT]

    def _find_first_failure(self) -> None:
        failed = [job for job in self.jobs.values() if job.state in ("failure", "timed_out")]
        first = min(failed, key=lambda job: job.ended_at or 0.0, default=None)
        self.failed_first = self.failed_first or (first.key if first is not None else None)


def sparkline(values: Sequence[float], *, width: int = 16) -> str:
    """A curve of eight heights, as `▇▆▅▃▂▁`; the newest value is the last."""
    if not values:
        return ""
    step = max(1.0, len(values) / width)
    chosen = [values[min(len(values) - 1, int(index * step))] for index in range(min(width, len(values)))]
    chosen[-1] = values[-1]
    least, greatest = min(chosen), max(chosen)
    span = greatest - least
    if span == 0:
        return "▄" * len(chosen)
    return "".join("▁▂▃▄▅▆▇█"[min(7, int((value - least) / span * 8))] for value in chosen)
