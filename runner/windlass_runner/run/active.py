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
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import (
    EventDraft,
    JobRecord,
    JobUpdate,
    RunRecord,
)
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.admissions import Admissions
from windlass_runner.run.app import AppAddress
from windlass_runner.run.assembly import Surroundings
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.changes import Changes, RunBook
from windlass_runner.run.ending import Ending
from windlass_runner.run.following import Followed, Start, Successor
from windlass_runner.run.gates import RunGates
from windlass_runner.run.legs import Decision
from windlass_runner.run.restoring import restored_progress
from windlass_runner.run.retries import retry_after
from windlass_runner.run.running_attempts import RunningAttempts
from windlass_runner.run.states import FINAL, State
from windlass_runner.run.tasks import job_contexts, make_task


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
        self._running = RunningAttempts(records)
        self.state: State | None = None
        self._book = RunBook(ledger, self.id, gates=gates, is_reported=is_reported, giving_up=giving_up)
        self._clock = clock
        self.rest = threading.Lock()
        """Held by whoever removes what a run that waits has on the host, and by whoever lets it go on."""
        self._gates = gates
        self._cancel_reason = ""
        self._is_begun = around.run.started_at is not None
        self._admissions = Admissions(gates, around.run, records)
        self._expanded: list[PlannedJob] = []
        self.progress = restored_progress(
            self.plan,
            records,
            contexts=around.contexts,
            on_expand=lambda _job, legs: self._expanded.extend(legs),
        )

    def running(self, key: str) -> Attempt | None:
        """The attempt of a job that this process has in hand."""
        return self._running.get(key)

    def spec(self, key: str) -> JobSpec:
        """The spec of a planned job."""
        return self.plan.specs[self.progress.legs[key].job.job_id]

    # -- what happens ----------------------------------------------------------------------------

    def begin(self) -> list[Start]:
        """The first jobs of a new run, or those that go on after a crash."""
        with self.lock:
            starts = self._follow(self.progress.begin(), Changes(at=self._clock()))
            return [Start(key=start.key, attempt=self._running.next_number(start.key)) for start in starts]

    def started(self, attempt: Attempt, *, host: str) -> float | None:
        """An attempt is about to make its container: write it down first. Gives for how many seconds
        it ran already, where an earlier process began it; None where its job has just been cancelled."""
        key, at = attempt.job.key, self._clock()
        changes = Changes(at=at)
        with self.lock:
            if self.progress.legs[key].state in FINAL:
                return None
            resumed = self._running.begin(attempt)
            if resumed is None:
                self._begin(attempt, changes, host=host)
                self._book.write(changes)
                return 0.0
            changes.tell("job.resumed", key, attempt=attempt.number)
            self._book.write(changes)
            if resumed.stop is not None:
                attempt.stop(*resumed.stop)
            return at - (resumed.started_at or at)

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
            self._running.end(key)
            again = self._retry(attempt, ending, changes)
            if again is not None:
                self._book.write(changes)
                return Followed(starts=[again])
            state = _job_state(attempt.spec, ending, lambda: self.job_contexts(attempt.job))
            changes.conclude(key, state, ending)
            starts = self._settle(self.progress.finish(key, state, ending.outputs), changes)
            begun: Attempt | None = None
            if successor is not None and successor.may_begin(starts):
                begun = successor.attempt
                self._running.begin(begun)
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
            decisions = [
                replace(one, reason=reason or one.reason) for one in self.progress.cancel(force=force)
            ]
            return self._follow(decisions, changes, force=force)

    def end(self, key: str, state: State, reason: str) -> list[Start]:
        """End a job that is not attempted (any more)."""
        changes = Changes(at=self._clock())
        with self.lock:
            self._running.end(key)
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
            return self._admissions.is_run_waiting and self.state is None

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
            return self._running.stop(key, "finished", because)

    def metrics(self, key: str, points: list[Mapping[str, Any]]) -> None:
        """Metrics that a running job wrote."""
        event = EventDraft(kind="job.metrics", job_key=key, data={"points": points})
        self._book.write_event(event, at=self._clock())

    # -- what follows ----------------------------------------------------------------------------

    def _follow(self, decisions: Sequence[Decision], changes: Changes, *, force: bool = False) -> list[Start]:
        """Write down what was decided, in one transaction with what it follows from."""
        starts = self._settle(decisions, changes, force=force)
        self._book.write(changes)
        return starts

    def _settle(self, decisions: Sequence[Decision], changes: Changes, *, force: bool = False) -> list[Start]:
        """What was decided, into `changes`; the jobs to start. `force`: see `Attempt.stop`."""
        starts: list[Start] = []
        queue = deque(decisions)
        while queue:
            decision = queue.popleft()
            if decision.what == "start":
                queue.extend(self._admit(decision.key, starts, changes))
            elif decision.what == "end":
                self._end(decision, changes)
            elif self._running.stop(decision.key, "cancelled", decision.reason, force=force):
                continue  # what follows comes with its end
            elif self.progress.legs[decision.key].state not in FINAL:
                starts = [start for start in starts if start.key != decision.key]
                self._end(decision, changes)
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
        if self._running.is_left(key) or not self._gates.are_there:  # the former has passed its gate
            starts.append(Start(key=key))
            return ()
        job = self.progress.legs[key].job
        admission = self._admissions.admit(job, self.job_contexts(job), changes)
        if admission.state == "queued":
            starts.append(Start(key=key))
        if admission.state in ("queued", "waiting"):
            return ()
        decision = Decision(key=key, what="end", state=admission.state, reason=admission.reason)
        self._end(decision, changes, outputs=admission.outputs)
        return self.progress.finish(key, admission.state, admission.outputs)

    def _tell_whether_waiting(self, changes: Changes, *, is_moving: bool) -> None:
        if self.state is not None or not (self._gates.waiting or self._admissions.is_run_waiting):
            return
        released = sum(group.running for group in self.progress.groups.values())
        self._admissions.tell_of_run(
            changes,
            is_held=not is_moving and released == len(self._gates.waiting),
            otherwise="running" if self._is_begun else "queued",
        )

    def _end(self, decision: Decision, changes: Changes, *, outputs: Mapping[str, Any] | None = None) -> None:
        self._gates.leave(decision.key)
        changes.end_job(decision.key, decision.state, decision.reason, outputs=outputs)

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
        """What expressions of a job see before it runs.

        Raises:
            ExpressionError: in what its graph is given, so that it never comes to run.
        """
        with self.lock:
            return job_contexts(self.progress, job)

    def attempt(self, key: str, number: int, lane: Lane) -> Attempt:
        """A new attempt of a job, not yet begun.

        Raises:
            OperatorError: an input is not there.
            ExpressionError
        """
        with self.lock:
            task = make_task(self.around, self.progress, self._gates, key=key, number=number, lane=lane)
        return Attempt(
            task,
            on_metrics=lambda points: self.metrics(key, points),
            on_waiting=lambda reason: self.note(key, reason),
            on_app=lambda address: self.show_app(key, number, address),
        )


def _job_state(spec: JobSpec, ending: Ending, contexts: Callable[[], Mapping[str, Any]]) -> State:
    """The state of a job whose last attempt ended so, by its `continue-on-error`."""
    if ending.state not in ("failure", "timed_out"):
        return ending.state
    is_allowed = spec.continue_on_error
    if isinstance(is_allowed, str):
        try:
            is_allowed = evaluate_template(is_allowed, contexts()) is True
        except ExpressionError:
            is_allowed = False
    return "neutral" if is_allowed else ending.state
