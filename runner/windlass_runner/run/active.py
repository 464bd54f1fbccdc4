"""One run while it runs: what the ledger says of it, what its jobs are doing, what follows from it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from windlass_runner.engines.base import Lane
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import untrusted
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import (
    EventDraft,
    JobRecord,
    JobUpdate,
    RunRecord,
    RunUpdate,
)
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.app import AppAddress
from windlass_runner.run.assembly import Surroundings, Task
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.changes import Changes, RunBook
from windlass_runner.run.ending import Ending
from windlass_runner.run.following import Followed, Start, Successor
from windlass_runner.run.gates import RunGates, waiting_update
from windlass_runner.run.inputs import input_paths
from windlass_runner.run.legs import Decision
from windlass_runner.run.progress import Progress
from windlass_runner.run.retries import retry_after
from windlass_runner.run.states import FINAL, State
from windlass_runner.run.stopping import StopReason
from windlass_runner.run.storage import slug


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
        """`is_reported` and `giving_up`: see `RunBook`."""
        self.id = around.run.id
        self.record: RunRecord = around.run
        self.plan: Plan = around.plan
        self.around = around
        self.lock = threading.RLock()
        self.attempts: dict[str, Attempt] = {}
        self.state: State | None = None
        self._book = RunBook(ledger, self.id, gates=gates, is_reported=is_reported, giving_up=giving_up)
        self._clock = clock
        self.rest = threading.Lock()
        """Held by whoever removes what a run that waits has on the host, and by whoever lets it go on."""
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
        self._stops: dict[str, tuple[StopReason, str]] = {}
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
            starts = self._follow(self.progress.begin(), Changes(at=self._clock()))
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
        changes = Changes(at=at)
        with self.lock:
            if self.progress.legs[key].state in FINAL:
                return None
            self.attempts[key] = attempt
            earlier = self._earlier.pop(key, None)
            if earlier is not None and earlier.state == "running" and earlier.attempt == attempt.number:
                changes.tell("job.resumed", key, attempt=attempt.number)
                self._book.write(changes)
                if (stop := self._stops.pop(key, None)) is not None:
                    attempt.stop(*stop)
                return at - (earlier.started_at or at)
            self._begin(attempt, changes, host=host)
            self._book.write(changes)
            return 0.0

    def _begin(self, attempt: Attempt, changes: Changes, *, host: str) -> None:
        if not self._is_begun:
            self._is_begun = True
            changes.begin_run()
        changes.begin_attempt(attempt.task, host=host)

    def ended(self, attempt: Attempt, ending: Ending, successor: Successor | None = None) -> Followed:
        """An attempt has ended: try again, or let what depends on the job follow. The successor begins in
        the same transaction, if it follows and it is its turn."""
        key, changes = attempt.job.key, Changes(at=self._clock())
        changes.end_attempt(attempt.task, ending)
        with self.lock:
            self.attempts.pop(key, None)
            again = self._retry(attempt, ending, changes)
            if again is not None:
                self._book.write(changes)
                return Followed(starts=[again])
            state = self._conclusion(attempt, ending)
            changes.conclude(key, state, ending)
            starts = self._settle(self.progress.finish(key, state, ending.outputs), changes)
            begun: Attempt | None = None
            if successor is not None and successor.may_begin(starts):
                begun = self.attempts[successor.attempt.job.key] = successor.attempt
                self._begin(begun, changes, host=successor.host)
            self._book.write(changes)
            return Followed(starts=starts, begun=begun)

    def cancel(self, reason: str, *, force: bool = False) -> list[Start]:
        """Stop what runs, end what waits. Jobs whose `if` asks for it still run."""
        with self.lock:
            if self.progress.is_over:
                return []
            self._cancel_reason = reason
            changes = Changes(at=self._clock())
            changes.tell("run.cancelling", reason=reason)
            decisions = self.progress.cancel(force=force)
            return self._follow(decisions, changes, stop_reason=reason, force=force)

    def end(self, key: str, state: State, reason: str) -> list[Start]:
        """End a job that is not attempted (any more)."""
        changes = Changes(at=self._clock())
        with self.lock:
            self.attempts.pop(key, None)
            self._end(Decision(key=key, what="end", state=state, reason=reason), changes)
            return self._follow(self.progress.finish(key, state), changes)

    def look_at_gates(self) -> list[Start]:
        """Somebody may have answered to a gate, or its time has come: what follows."""
        with self.lock:
            if not self._gates.waiting:
                return []
            self._gates.refresh()
            released = [Decision(key=key, what="start") for key in self._gates.waiting]
            return self._follow(released, Changes(at=self._clock()))

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing of it goes on until somebody answers to a gate."""
        with self.lock:
            return bool(self._waits) and self.state is None

    def gates_look_in_s(self) -> float | None:
        """In how many seconds to look at the gates again, where nobody was told of that yet."""
        with self.lock:
            return self._gates.look_in_s(self._clock())

    def note(self, key: str, reason: str) -> None:
        """Say for what a job waits, queued or running; an empty text: for nothing any more."""
        with self.lock:
            if self.progress.legs[key].state in FINAL:
                return
            changes = Changes(at=self._clock(), jobs=[JobUpdate(key=key, reason=reason)])
            changes.tell("job.waiting", key, reason=reason)
            self._book.write(changes)

    def show_app(self, key: str, number: int, address: AppAddress) -> None:
        """The app that a running job serves can be reached, there."""
        with self.lock:
            if self.progress.legs[key].state not in FINAL:
                changes = Changes(at=self._clock())
                changes.show_app(key, number, address)
                self._book.write(changes)

    def finish(self, key: str, because: str) -> bool:
        """End an app that runs: its job succeeds. False where none runs under that key."""
        with self.lock:
            if key not in self.progress.legs or self.spec(key).app is None:
                return False
            if key in self.attempts:
                self.attempts[key].stop("finished", because)
            elif self._is_left_running(key):
                self._stops.setdefault(key, ("finished", because))
            else:
                return False
            return True

    def metrics(self, key: str, points: list[Mapping[str, Any]]) -> None:
        """Metrics that a running job wrote."""
        event = EventDraft(kind="job.metrics", job_key=key, data={"points": points})
        self._book.write_event(event, at=self._clock())

    # -- what follows ----------------------------------------------------------------------------

    def _follow(
        self, decisions: Sequence[Decision], changes: Changes, *, stop_reason: str = "", force: bool = False
    ) -> list[Start]:
        """Write down what was decided, in one transaction with what it follows from."""
        starts = self._settle(decisions, changes, stop_reason=stop_reason, force=force)
        self._book.write(changes)
        return starts

    def _settle(
        self,
        decisions: Sequence[Decision],
        changes: Changes,
        *,
        stop_reason: str = "",
        force: bool = False,
    ) -> list[Start]:
        """What was decided, into `changes`; the jobs to start."""
        starts: list[Start] = []
        queue = deque(decisions)
        while queue:
            decision = queue.popleft()
            if decision.what == "start":
                queue.extend(self._admit(decision.key, starts, changes))
            elif decision.what == "end":
                self._end(decision, changes)
            elif decision.key in self.attempts:
                self.attempts[decision.key].stop("cancelled", stop_reason or decision.reason, force=force)
            elif self._is_left_running(decision.key):
                self._stops[decision.key] = ("cancelled", stop_reason or decision.reason)
            elif self.progress.legs[decision.key].state not in FINAL:
                reason = stop_reason or decision.reason
                starts = [start for start in starts if start.key != decision.key]
                self._end(replace(decision, what="end", reason=reason), changes)
                queue.extend(self.progress.finish(decision.key, decision.state))
        legs, self._expanded = self._expanded, []
        changes.add_jobs(legs)
        if self.progress.is_over and self.state is None:
            self.state = self.progress.final_state()
            reason = self._cancel_reason if self.state == "cancelled" else ""
            changes.end_run(self.state, reason)
        self._tell_whether_waiting(changes, is_moving=bool(starts))
        return starts

    def _admit(self, key: str, starts: list[Start], changes: Changes) -> Sequence[Decision]:
        """A job is released: it starts, waits at its gate, or is over at once, from which more follows."""
        if self._is_left_running(key):  # it has passed its gate in an earlier life
            starts.append(Start(key=key))
            return ()
        if not self._gates.are_there:
            starts.append(Start(key=key))
            return ()
        job = self.progress.legs[key].job
        admission = self._gates.admit(job, self.job_contexts(job), at=changes.at)
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
                changes.requeue(key)
                changes.tell("job.queued", key)
            starts.append(Start(key=key))
            return ()
        decision = Decision(key=key, what="end", state=admission.state, reason=admission.reason)
        self._end(decision, changes, outputs=admission.outputs)
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
        changes.tell("run.waiting" if is_waiting else "run.goes_on", state=state, reason=reason)

    def _is_left_running(self, key: str) -> bool:
        return key in self._earlier and self._earlier[key].state == "running"

    def _end(self, decision: Decision, changes: Changes, *, outputs: Mapping[str, Any] | None = None) -> None:
        self._gates.leave(decision.key)
        changes.end_job(decision.key, decision.state, decision.reason, outputs=outputs)

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
        changes.requeue(key, again.reason)
        changes.tell("job.retrying", key, reason=again.reason)
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
            on_app=lambda address: self.show_app(key, number, address),
        )
