"""One run while it runs: what the ledger says of it, what its jobs are doing, what follows from it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.engines.base import Lane
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import untrusted
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import (
    AttemptUpdate,
    EventDraft,
    JobRecord,
    JobUpdate,
    NewJob,
    RunRecord,
    RunUpdate,
)
from windlass_runner.plan.codec import dumps, loads
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.assembly import Surroundings, Task
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.ending import Ending
from windlass_runner.run.gates import Admission, RunGates, waiting_update
from windlass_runner.run.inputs import input_paths
from windlass_runner.run.progress import Decision, Progress
from windlass_runner.run.retries import retry_after
from windlass_runner.run.states import FINAL, State
from windlass_runner.run.storage import slug

_LEDGER_RETRY_S: Final = 1.0
log = logging.getLogger("windlass_runner.run")


@dataclass(slots=True)
class Changes:
    """What one transaction will write."""

    jobs: list[JobUpdate] = field(default_factory=list)
    attempts: list[AttemptUpdate] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)
    added: list[NewJob] = field(default_factory=list)
    run: RunUpdate | None = None
    admissions: list[Admission] = field(default_factory=list)
    """With gates and deployments in them that are new."""
    urls: dict[str, str] = field(default_factory=dict)
    """Where what jobs have deployed is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A job to be queued."""

    key: str
    attempt: int = 1
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A job's attempt, made ready while the job that it waits for ran: it may begin when that has ended."""

    attempt: Attempt
    host: str
    is_its_turn: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What follows from a job's end. `begun`: the successor, where it is among them and has begun."""

    starts: list[Start]
    begun: Attempt | None = None


class ActiveRun:
    """The state of one run in this process. Its methods may be called from any thread.

    The ledger is written under the run's lock, so that events stand there in the order in which
    things happened.
    """

    def __init__(
        self,
        ledger: Ledger,
        around: Surroundings,
        records: Sequence[JobRecord],
        *,
        gates: RunGates,
        clock: Callable[[], float],
        is_reported: bool,
        giving_up: threading.Event | None,
    ) -> None:
        """`giving_up`: until it is set, what cannot be written to the ledger is tried again; None:
        an error of the ledger is raised at once."""
        self.id = around.run.id
        self.record: RunRecord = around.run
        self.plan: Plan = around.plan
        self.around = around
        self.lock = threading.RLock()
        self.attempts: dict[str, Attempt] = {}
        self.state: State | None = None
        self._ledger = ledger
        self._clock = clock
        self._is_reported = is_reported
        self._giving_up = giving_up
        self._gates = gates
        self._cancel_reason = ""
        self._is_begun = around.run.started_at is not None
        self._told_to_wait = {record.key: record.reason for record in records if record.state == "waiting"}
        self._waits = around.run.reason if around.run.state == "waiting" else ""
        """Why nothing of the run goes on until somebody answers."""
        self._expanded: list[PlannedJob] = []
        known = {record.key: record for record in records}
        self.progress = Progress(
            self.plan,
            contexts=around.contexts,
            jobs=self._planned(known),
            on_expand=lambda _job, legs: self._expanded.extend(legs),
        )
        for key, record in known.items():
            if record.state in FINAL and key in self.progress.legs:
                self.progress.restore(key, record.state, record.outputs)
        self._earlier = {key: record for key, record in known.items() if record.attempt}
        self._stops: dict[str, str] = {}
        """Why to stop a job that an earlier process left running, as soon as it is found again."""

    def _planned(self, known: Mapping[str, JobRecord]) -> list[PlannedJob]:
        """The plan's jobs, with those that came from another job's output in place of their origin."""
        added = [loads(PlannedJob, record.planned) for record in known.values() if record.planned]
        expanded = {job.job_id for job in added}
        kept = [job for job in self.plan.jobs if not (job.is_deferred and job.job_id in expanded)]
        return [*kept, *added]

    def spec(self, key: str) -> JobSpec:
        """The spec of a planned job."""
        return self.plan.specs[self.progress.legs[key].job.job_id]

    # -- what happens ----------------------------------------------------------------------------

    def begin(self) -> list[Start]:
        """The first jobs of a new run, or those that go on after a crash."""
        with self.lock:
            starts = self._follow(self.progress.begin(), Changes())
            return [Start(key=start.key, attempt=self._next_attempt(start.key)) for start in starts]

    def _next_attempt(self, key: str) -> int:
        """The attempt that an earlier process left running, or the one that it meant to make next."""
        earlier = self._earlier.get(key)
        if earlier is None:
            return 1
        return earlier.attempt if earlier.state == "running" else earlier.attempt + 1

    def started(self, attempt: Attempt, *, host: str) -> float | None:
        """An attempt is about to make its container: write it down first. Gives for how many seconds
        it ran already, where an earlier process began it; None where its job has just been cancelled."""
        key, at = attempt.job.key, self._clock()
        with self.lock:
            if self.progress.legs[key].state in FINAL:
                return None
            self.attempts[key] = attempt
            earlier = self._earlier.pop(key, None)
            if earlier is not None and earlier.state == "running" and earlier.attempt == attempt.number:
                resumed = EventDraft(kind="job.resumed", job_key=key, data={"attempt": attempt.number})
                self._write(Changes(events=[resumed]), at=at)
                if (reason := self._stops.pop(key, None)) is not None:
                    attempt.stop("cancelled", reason)
                return at - (earlier.started_at or at)
            changes = Changes()
            self._begin(attempt, changes, host=host, at=at)
            self._write(changes, at=at)
            return 0.0

    def _begin(self, attempt: Attempt, changes: Changes, *, host: str, at: float) -> None:
        key, number = attempt.job.key, attempt.number
        if not self._is_begun:
            self._is_begun = True
            changes.run = RunUpdate(state="running", reason="", started_at=at)
            changes.events.append(EventDraft(kind="run.started"))
        changes.jobs.append(JobUpdate(key=key, state="running", reason="", attempt=number, started_at=at))
        changes.attempts.append(
            AttemptUpdate(
                job_key=key,
                number=number,
                state="created",
                lane=attempt.task.lane.name,
                container=attempt.task.name,
                host=host,
                at=at,
            )
        )
        changes.events.append(EventDraft(kind="job.started", job_key=key, data={"attempt": number}))

    def ended(self, attempt: Attempt, ending: Ending, successor: Successor | None = None) -> Followed:
        """An attempt has ended: try again, or let what depends on the job follow. The successor begins in
        the same transaction, if it follows and it is its turn."""
        key, at = attempt.job.key, self._clock()
        with self.lock:
            self.attempts.pop(key, None)
            changes = Changes(
                attempts=[
                    AttemptUpdate(
                        job_key=key,
                        number=attempt.number,
                        state="ended",
                        exit_code=ending.exit_code,
                        cause=ending.cause,
                        at=at,
                        detail={"reason": ending.reason, "images": dict(ending.images)},
                    )
                ]
            )
            again = self._retry(attempt, ending, changes)
            if again is not None:
                self._write(changes, at=at)
                return Followed(starts=[again])
            starts = self._final(attempt, ending, changes, at=at)
            begun: Attempt | None = None
            if successor is not None and self._begins(successor, starts):
                begun = self.attempts[successor.attempt.job.key] = successor.attempt
                self._begin(begun, changes, host=successor.host, at=at)
            self._write(changes, at=at)
            return Followed(starts=starts, begun=begun)

    def _begins(self, successor: Successor, starts: Sequence[Start]) -> bool:
        key = successor.attempt.job.key
        return any(start.key == key for start in starts) and successor.is_its_turn()

    def _final(self, attempt: Attempt, ending: Ending, changes: Changes, *, at: float) -> list[Start]:
        """What follows from the job's end, into `changes` with that."""
        key = attempt.job.key
        state = self._conclusion(attempt, ending)
        changes.jobs.append(
            JobUpdate(
                key=key,
                state=state,
                reason=ending.reason,
                ended_at=at,
                exit_code=ending.exit_code,
                outputs=dict(ending.outputs) or None,
                metrics=dict(ending.metrics) or None,
                summary=ending.summary or None,
                annotations=list(ending.annotations) or None,
            )
        )
        if ending.environment_url:
            changes.urls[key] = ending.environment_url
        data = {"state": state, "reason": ending.reason, "exit_code": ending.exit_code}
        changes.events.append(EventDraft(kind="job.ended", job_key=key, data=data))
        return self._settle(self.progress.finish(key, state, ending.outputs), changes, at=at)

    def cancel(self, reason: str, *, force: bool = False) -> list[Start]:
        """Stop what runs, end what waits. Jobs whose `if` asks for it still run."""
        with self.lock:
            if self.progress.is_over:
                return []
            self._cancel_reason = reason
            changes = Changes(events=[EventDraft(kind="run.cancelling", data={"reason": reason})])
            decisions = self.progress.cancel(force=force)
            return self._follow(decisions, changes, stop_reason=reason, force=force)

    def end(self, key: str, state: State, reason: str) -> list[Start]:
        """End a job that is not attempted (any more)."""
        at = self._clock()
        with self.lock:
            self.attempts.pop(key, None)
            changes = Changes()
            self._end(Decision(key=key, what="end", state=state, reason=reason), changes, at=at)
            return self._follow(self.progress.finish(key, state), changes)

    def look_at_gates(self) -> list[Start]:
        """Somebody may have answered to a gate, or its time has come: what follows."""
        with self.lock:
            if not self._gates.waiting:
                return []
            self._gates.refresh()
            released = [Decision(key=key, what="start") for key in self._gates.waiting]
            return self._follow(released, Changes())

    def gates_look_in_s(self) -> float | None:
        """In how many seconds to look at the gates again, where nobody was told of that yet."""
        with self.lock:
            return self._gates.look_in_s(self._clock())

    def note(self, key: str, reason: str) -> None:
        """Say for what a job waits, queued or running; an empty text: for nothing any more."""
        with self.lock:
            if self.progress.legs[key].state in FINAL:
                return
            changes = Changes(
                jobs=[JobUpdate(key=key, reason=reason)],
                events=[EventDraft(kind="job.waiting", job_key=key, data={"reason": reason})],
            )
            self._write(changes, at=self._clock())

    def metrics(self, key: str, points: list[Mapping[str, Any]]) -> None:
        """Metrics that a running job wrote."""
        event = EventDraft(kind="job.metrics", job_key=key, data={"points": points})
        self._ledger.runs.record(self.id, events=[event], at=self._clock())

    # -- what follows ----------------------------------------------------------------------------

    def _follow(
        self, decisions: Sequence[Decision], changes: Changes, *, stop_reason: str = "", force: bool = False
    ) -> list[Start]:
        """Write down what was decided, in one transaction with what it follows from."""
        at = self._clock()
        starts = self._settle(decisions, changes, at=at, stop_reason=stop_reason, force=force)
        self._write(changes, at=at)
        return starts

    def _settle(
        self,
        decisions: Sequence[Decision],
        changes: Changes,
        *,
        at: float,
        stop_reason: str = "",
        force: bool = False,
    ) -> list[Start]:
        """What was decided, into `changes`; the jobs to start."""
        starts: list[Start] = []
        queue = deque(decisions)
        while queue:
            decision = queue.popleft()
            if decision.what == "start":
                queue.extend(self._admit(decision.key, starts, changes, at=at))
            elif decision.what == "end":
                self._end(decision, changes, at=at)
            elif decision.key in self.attempts:
                self.attempts[decision.key].stop("cancelled", stop_reason or decision.reason, force=force)
            elif self._is_left_running(decision.key):
                self._stops[decision.key] = stop_reason or decision.reason
            elif self.progress.legs[decision.key].state not in FINAL:
                reason = stop_reason or decision.reason
                starts = [start for start in starts if start.key != decision.key]
                self._end(
                    Decision(key=decision.key, what="end", state=decision.state, reason=reason),
                    changes,
                    at=at,
                )
                queue.extend(self.progress.finish(decision.key, decision.state))
        self._add_expanded(changes)
        if self.progress.is_over and self.state is None:
            self.state = self.progress.final_state()
            reason = self._cancel_reason if self.state == "cancelled" else ""
            changes.run = RunUpdate(state=self.state, reason=reason, ended_at=at)
            changes.events.append(EventDraft(kind="run.ended", data={"state": self.state}))
        self._tell_whether_waiting(changes, is_moving=bool(starts))
        return starts

    def _admit(self, key: str, starts: list[Start], changes: Changes, *, at: float) -> Sequence[Decision]:
        """A job is released: it starts, waits at its gate, or is over at once, from which more follows."""
        if self._is_left_running(key):  # it has passed its gate in an earlier life
            starts.append(Start(key=key))
            return ()
        if not self._gates.are_there:
            starts.append(Start(key=key))
            return ()
        job = self.progress.legs[key].job
        admission = self._gates.admit(job, self.job_contexts(job), at=at)
        changes.admissions.append(admission)
        if admission.state == "waiting":
            if self._told_to_wait.get(key) != admission.reason:
                self._told_to_wait[key] = admission.reason
                update, event = waiting_update(key, admission.reason)
                changes.jobs.append(update)
                changes.events.append(event)
            return ()
        self._gates.leave(key)
        if admission.state == "queued":
            if self._told_to_wait.pop(key, None) is not None:
                changes.jobs.append(JobUpdate(key=key, state="queued", reason=""))
                changes.events.append(EventDraft(kind="job.queued", job_key=key))
            starts.append(Start(key=key))
            return ()
        decision = Decision(key=key, what="end", state=admission.state, reason=admission.reason)
        self._end(decision, changes, at=at, outputs=admission.outputs)
        return self.progress.finish(key, admission.state, admission.outputs)

    def _tell_whether_waiting(self, changes: Changes, *, is_moving: bool) -> None:
        """The run as a whole waits where only gates keep it from going on."""
        if self.state is not None or not (self._waits or self._gates.waiting):
            return
        released = 0 if is_moving else sum(group.running for group in self.progress.groups.values())
        is_waiting = not is_moving and released == len(self._gates.waiting) > 0
        reason = self._gates.reason() if is_waiting else ""
        if reason == self._waits:
            return
        self._waits = reason
        state: State = "waiting" if is_waiting else "running" if self._is_begun else "queued"
        changes.run = RunUpdate(state=state, reason=reason)
        told = {"state": state, "reason": reason}
        changes.events.append(EventDraft(kind="run.waiting" if is_waiting else "run.goes_on", data=told))

    def _is_left_running(self, key: str) -> bool:
        return key in self._earlier and self._earlier[key].state == "running"

    def _end(
        self, decision: Decision, changes: Changes, *, at: float, outputs: Mapping[str, Any] | None = None
    ) -> None:
        self._gates.leave(decision.key)
        changes.jobs.append(
            JobUpdate(
                key=decision.key,
                state=decision.state,
                reason=decision.reason,
                ended_at=at,
                outputs=dict(outputs) if outputs else None,
            )
        )
        data = {"state": decision.state, "reason": decision.reason}
        changes.events.append(EventDraft(kind="job.ended", job_key=decision.key, data=data))

    def _add_expanded(self, changes: Changes) -> None:
        """Jobs that a matrix gave just now; the one that stood for them is skipped over."""
        if not self._expanded:
            return
        legs, self._expanded = self._expanded, []
        for job in legs:
            changes.added.append(NewJob(key=job.key, name=job.name, planned=dumps(job)))
        for origin in {job.job_id for job in legs}:
            changes.jobs.append(
                JobUpdate(key=origin, state="skipped", reason=f"became {len(legs)} jobs by its matrix")
            )

    def _write(self, changes: Changes, *, at: float) -> None:
        told = (changes.jobs, changes.events, changes.attempts, changes.run, changes.added)
        if not any((*told, *(one.deployment for one in changes.admissions))):
            return
        while True:
            try:
                self._write_once(changes, at=at)
                return
            except (OperatorError, UpstreamError) as error:
                if self._giving_up is None or self._giving_up.wait(_LEDGER_RETRY_S):
                    raise
                log.warning("run %s cannot be written down, trying again: %s", self.id, error)

    def _write_once(self, changes: Changes, *, at: float) -> None:
        if not self._gates.are_there:
            self._record(changes, at=at)
            return
        with self._ledger.transaction():
            self._record(changes, at=at)
            self._gates.write(
                changes.admissions, changes.jobs, urls=changes.urls, at=at, report=self._is_reported
            )

    def _record(self, changes: Changes, *, at: float) -> None:
        self._ledger.runs.record(
            self.id,
            run=changes.run,
            jobs=changes.jobs,
            attempts=changes.attempts,
            events=changes.events,
            add_jobs=changes.added,
            at=at,
            report=self._is_reported,
        )

    # -- rules -----------------------------------------------------------------------------------

    def _conclusion(self, attempt: Attempt, ending: Ending) -> State:
        if ending.state in ("failure", "timed_out") and self._is_allowed_to_fail(attempt):
            return "neutral"
        return ending.state

    def _is_allowed_to_fail(self, attempt: Attempt) -> bool:
        written = attempt.spec.continue_on_error
        if isinstance(written, bool):
            return written
        try:
            return evaluate_template(written, self.job_contexts(attempt.job)) is True
        except ExpressionError:
            return False

    def _retry(self, attempt: Attempt, ending: Ending, changes: Changes) -> Start | None:
        if self.progress.is_cancelled:
            return None
        again = retry_after(
            attempt.spec.retry, ending, attempt.number, contexts=lambda: self.job_contexts(attempt.job)
        )
        if again is None:
            return None
        key = attempt.job.key
        changes.jobs.append(JobUpdate(key=key, state="queued", reason=again.reason))
        changes.events.append(EventDraft(kind="job.retrying", job_key=key, data={"reason": again.reason}))
        return Start(key=key, attempt=attempt.number + 1, delay_s=again.delay_s)

    def job_contexts(self, job: PlannedJob) -> dict[str, Any]:
        """What expressions of a job see before it runs."""
        return {
            **self.around.contexts,
            "needs": self.needs_of(job),
            "matrix": job.matrix,
            "strategy": {"job-index": job.index, "job-total": job.total},
        }

    def needs_of(self, job: PlannedJob) -> dict[str, Any]:
        """The `needs` context; outputs are texts that a job made, and so marked."""
        found: dict[str, Any] = {}
        for name, need in self.progress.needs_context(job.job_id).items():
            found[name] = {"result": need["result"], "outputs": untrusted(need["outputs"])}
        return found

    def attempt(self, key: str, number: int, lane: Lane) -> Attempt:
        """A new attempt of a job, not yet begun. A job with services has a network of its own.

        Raises:
            OperatorError: an input is not there.
            ExpressionError
        """
        with self.lock:
            job = self.progress.legs[key].job
            contexts = self.job_contexts(job)
            inputs = input_paths(
                self.spec(key),
                job,
                contexts=contexts,
                workflow_inputs=self.plan.inputs,
                output_of=self.progress.output_of,
                folder=self.around.storage.scratch(self.id) / "inputs" / slug(key),
            )
        if self.spec(key).services:
            lane = Lane(name=f"job-{slug(key)}-{number}", is_private=True)
        around = self._gates.with_secrets(self.around, job, contexts)
        task = Task(around=around, job=job, number=number, lane=lane, needs=contexts["needs"], inputs=inputs)
        return Attempt(
            task,
            on_metrics=lambda points: self.metrics(key, points),
            on_waiting=lambda reason: self.note(key, reason),
        )
