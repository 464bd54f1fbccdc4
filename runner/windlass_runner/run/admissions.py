"""Jobs that are released are admitted, or wait at their gates: each wait is told once, and once that it is
over. Used by `run.active`, under the run's lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass_runner.ledger.records import JobRecord, RunRecord, RunUpdate
from windlass_runner.plan.model import PlannedJob
from windlass_runner.run.changes import Changes
from windlass_runner.run.gates import Admission, RunGates, waiting_update
from windlass_runner.run.states import State


class Admissions:
    """Not safe for threads: its owner holds a lock. What was told before is in the records."""

    def __init__(self, gates: RunGates, run: RunRecord, jobs: Iterable[JobRecord]) -> None:
        self._gates = gates
        self._run_told = run.reason if run.state == "waiting" else ""
        self._jobs_told = {job.key: job.reason for job in jobs if job.state == "waiting"}

    @property
    def is_run_waiting(self) -> bool:
        """Whether nothing of the run goes on until somebody answers."""
        return bool(self._run_told)

    def admit(self, job: PlannedJob, contexts: Mapping[str, Any], changes: Changes) -> Admission:
        """What becomes of a released job, put into `changes` but for its end. May be asked again."""
        admission = self._gates.admit(job, contexts, at=changes.at)
        changes.admissions.append(admission)
        if admission.state == "waiting":
            self._tell_waiting(job.key, admission.reason, changes)
            return admission
        self._gates.leave(job.key)
        if admission.state == "queued" and self._jobs_told.pop(job.key, None) is not None:
            changes.requeue(job.key)
            changes.tell("job.queued", job.key)
        return admission

    def _tell_waiting(self, key: str, reason: str, changes: Changes) -> None:
        if self._jobs_told.get(key) != reason:
            self._jobs_told[key] = reason
            update, event = waiting_update(key, reason)
            changes.jobs.append(update)
            changes.events.append(event)

    def tell_of_run(self, changes: Changes, *, is_held: bool, otherwise: State) -> None:
        """The run as a whole waits where only gates keep it from going on (`is_held`); else its state is
        `otherwise`."""
        is_waiting = is_held and bool(self._gates.waiting)
        reason = self._gates.reason() if is_waiting else ""
        if reason == self._run_told:
            return
        self._run_told = reason
        state: State = "waiting" if is_waiting else otherwise
        changes.run = RunUpdate(state=state, reason=reason)
        changes.tell("run.waiting" if is_waiting else "run.goes_on", state=state, reason=reason)
