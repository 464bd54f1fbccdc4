"""What happened to a run, gathered into one transaction and written down. Used by `run.active`, under the
run's lock, so that events stand in the ledger in the order in which things happened.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, JobUpdate, NewJob, RunUpdate
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import PlannedJob
from windlass_runner.run.app import DETAIL, AppAddress
from windlass_runner.run.assembly import Task
from windlass_runner.run.ending import Ending
from windlass_runner.run.gates import Admission, RunGates
from windlass_runner.run.states import State

_LEDGER_RETRY_S: Final = 1.0
log = logging.getLogger("windlass_runner.run")


@dataclass(slots=True)
class Changes:
    """What one transaction will write. `at` is when it happened, in seconds since the epoch."""

    at: float
    jobs: list[JobUpdate] = field(default_factory=list)
    attempts: list[AttemptUpdate] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)
    added: list[NewJob] = field(default_factory=list)
    run: RunUpdate | None = None
    admissions: list[Admission] = field(default_factory=list)
    """With gates and deployments in them that are new."""
    urls: dict[str, str] = field(default_factory=dict)
    """Where what jobs have deployed is reached."""

    @property
    def are_there(self) -> bool:
        """Whether there is anything to write."""
        told = (self.jobs, self.events, self.attempts, self.run, self.added)
        return any((*told, *(one.deployment for one in self.admissions)))

    def tell(self, kind: str, job_key: str | None = None, **data: Any) -> None:
        """An event."""
        self.events.append(EventDraft(kind=kind, job_key=job_key, data=data))

    def begin_run(self) -> None:
        """The run's first job begins."""
        self.run = RunUpdate(state="running", reason="", started_at=self.at)
        self.tell("run.started")

    def end_run(self, state: State, reason: str) -> None:
        """All its jobs are over."""
        self.run = RunUpdate(state=state, reason=reason, ended_at=self.at)
        self.tell("run.ended", state=state)

    def begin_attempt(self, task: Task, *, host: str) -> None:
        """An attempt is about to make (or start) its container."""
        key, number = task.job.key, task.number
        self.jobs.append(JobUpdate(key=key, state="running", reason="", attempt=number, started_at=self.at))
        self.attempts.append(
            AttemptUpdate(
                job_key=key,
                number=number,
                state="created",
                lane=task.lane.name,
                container=task.name,
                host=host,
                at=self.at,
                detail=None if task.spec.app is None else {DETAIL: None},
            )
        )
        self.tell("job.started", key, attempt=number)

    def show_app(self, key: str, number: int, address: AppAddress) -> None:
        """An app answers. Where it is reached is gone when its attempt has ended."""
        self.attempts.append(
            AttemptUpdate(
                job_key=key, number=number, state="started", at=self.at, detail={DETAIL: address.to_json()}
            )
        )
        self.tell("job.app", key, attempt=number, url=address.url)

    def end_attempt(self, task: Task, ending: Ending) -> None:
        """An attempt has ended; whether its job has is another question."""
        self.attempts.append(
            AttemptUpdate(
                job_key=task.job.key,
                number=task.number,
                state="ended",
                exit_code=ending.exit_code,
                cause=ending.cause,
                at=self.at,
                detail={
                    "reason": ending.reason,
                    "images": dict(ending.images),
                    **({"expectations": list(ending.expectations)} if ending.expectations else {}),
                },
            )
        )

    def conclude(self, key: str, state: State, ending: Ending) -> None:
        """A job's last attempt has ended it, with all that it left."""
        self.jobs.append(
            JobUpdate(
                key=key,
                state=state,
                reason=ending.reason,
                ended_at=self.at,
                exit_code=ending.exit_code,
                outputs=dict(ending.outputs) or None,
                metrics=dict(ending.metrics) or None,
                summary=ending.summary or None,
                annotations=list(ending.annotations) or None,
            )
        )
        if ending.environment_url:
            self.urls[key] = ending.environment_url
        self.tell("job.ended", key, state=state, reason=ending.reason, exit_code=ending.exit_code)

    def end_job(
        self, key: str, state: State, reason: str, *, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """A job is over without an attempt of its own."""
        self.jobs.append(
            JobUpdate(
                key=key,
                state=state,
                reason=reason,
                ended_at=self.at,
                outputs=dict(outputs) if outputs else None,
            )
        )
        self.tell("job.ended", key, state=state, reason=reason)

    def requeue(self, key: str, reason: str = "") -> None:
        """A job is to be started (again)."""
        self.jobs.append(JobUpdate(key=key, state="queued", reason=reason))

    def add_jobs(self, legs: Sequence[PlannedJob]) -> None:
        """Jobs that a matrix gave just now; the one that stood for them is skipped over."""
        for job in legs:
            self.added.append(NewJob(key=job.key, name=job.name, planned=dumps(job)))
        for origin in {job.job_id for job in legs}:
            self.jobs.append(
                JobUpdate(key=origin, state="skipped", reason=f"became {len(legs)} jobs by its matrix")
            )


class RunBook:
    """Where one run is written down.

    `giving_up`: until it is set, what cannot be written to the ledger is tried again; None: an error of the
    ledger is raised at once. `is_reported`: each change is to be posted to the forge.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        *,
        gates: RunGates,
        is_reported: bool,
        giving_up: threading.Event | None,
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._gates = gates
        self._is_reported = is_reported
        self._giving_up = giving_up

    def write(self, changes: Changes) -> None:
        """All of it in one transaction; nothing where there is nothing."""
        while changes.are_there:
            try:
                self._write_once(changes)
                return
            except (OperatorError, UpstreamError) as error:
                if self._giving_up is None or self._giving_up.wait(_LEDGER_RETRY_S):
                    raise
                log.warning("run %s cannot be written down, trying again: %s", self._run_id, error)

    def write_event(self, event: EventDraft, *, at: float) -> None:
        """One event that changes nothing, so that nothing is posted for it; tried once."""
        self._ledger.runs.record(self._run_id, events=[event], at=at)

    def _write_once(self, changes: Changes) -> None:
        if not self._gates.are_there:
            self._record(changes)
            return
        with self._ledger.transaction():
            self._record(changes)
            self._gates.write(
                changes.admissions, changes.jobs, urls=changes.urls, at=changes.at, report=self._is_reported
            )

    def _record(self, changes: Changes) -> None:
        self._ledger.runs.record(
            self._run_id,
            run=changes.run,
            jobs=changes.jobs,
            attempts=changes.attempts,
            events=changes.events,
            add_jobs=changes.added,
            at=changes.at,
            report=self._is_reported,
        )
