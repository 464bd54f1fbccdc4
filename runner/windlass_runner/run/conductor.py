"""Carries runs out: any number at once, sharing the slots of one host. The daemon and `windlass run`
make one conductor each; from then on both mean the same.
"""

from __future__ import annotations

import threading

from windlass_runner.engines.base import EngineFacts
from windlass_runner.ledger.records import EventDraft, RunRecord, RunUpdate
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Group, Plan
from windlass_runner.run.active import ActiveRun
from windlass_runner.run.cleaning import Cleaning
from windlass_runner.run.gates import RunGates
from windlass_runner.run.groups import Member, Turns, group_key
from windlass_runner.run.host import Host, make_surroundings
from windlass_runner.run.slots import Slots
from windlass_runner.run.states import FINAL, State


class Conductor:
    """See the module. Made once per process; `close` lets go and leaves containers running."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turns = Turns()
        self._closing = threading.Event()
        self._cleaning = Cleaning(
            host.engine, host.storage, closing=self._closing, waits_for_engine=host.waits_for_engine
        )
        self._slots = Slots(
            count=host.parallelism,
            host_name=host.name,
            waits_for_engine=host.waits_for_engine,
            turns=self._turns,
            cleaning=self._cleaning,
            closing=self._closing,
            on_change=self._finish_if_over,
            on_broken=self._give_up,
        )
        self._runs: dict[str, ActiveRun] = {}
        self._waiting: dict[str, tuple[RunRecord, Plan]] = {}
        self._ended: dict[str, threading.Event] = {}
        self._broken: dict[str, Exception] = {}
        self._lock = threading.RLock()
        self._facts: EngineFacts | None = None

    # -- from outside ----------------------------------------------------------------------------

    def begin(self, run_id: str, plan: Plan | None = None) -> None:
        """Carry a run out: a fresh one, or one that an earlier process left. Idempotent.

        `plan`: the run's own, where the caller has it at hand; read from the ledger otherwise.

        Raises:
            WindlassError: the engine or the ledger does not answer; begin it again later.
        """
        with self._lock:
            if run_id in self._ended:
                return
            self._ended[run_id] = threading.Event()
        try:
            self._begin(run_id, plan)
        except BaseException:
            with self._lock:
                del self._ended[run_id]
                self._runs.pop(run_id, None)
            raise

    def cancel(self, run_id: str, *, reason: str, force: bool = False) -> None:
        """Stop a run gracefully. Idempotent; does nothing for a run that is not active here."""
        with self._lock:
            active = self._runs.get(run_id)
            waiting = self._waiting.pop(run_id, None)
        if waiting is not None:
            active, force = self._activate(*waiting), True
        if active is not None:
            with active.rest:
                starts = active.cancel(reason, force=force)
            self._slots.follow(active, starts)

    def finish(self, run_id: str, key: str, *, because: str) -> bool:
        """End an app of that run, whose job then succeeds. False where it does not run here."""
        with self._lock:
            active = self._runs.get(run_id)
        return active is not None and active.finish(key, because)

    def look_at_gates(self, run_id: str) -> None:
        """Somebody has answered to a gate of that run. Idempotent; does nothing for one not active here."""
        with self._lock:
            active = self._runs.get(run_id)
        if active is not None:
            self._slots.look_at_gates(active)

    def wait(self, run_id: str, *, timeout_s: float | None = None) -> State | None:
        """Block until a run has ended and nothing of it is left on the host; its state, or None.

        Raises:
            WindlassError: it cannot be carried to its end (the ledger cannot be written).
        """
        ended = self._ended.get(run_id)
        if ended is not None and not ended.wait(timeout_s):
            return None
        if run_id in self._broken:
            raise self._broken[run_id]
        return self._host.ledger.runs.get(run_id).state

    def active(self) -> frozenset[str]:
        """The runs that are being carried out, or wait for their group."""
        with self._lock:
            return frozenset((*self._runs, *self._waiting))

    def close(self) -> None:
        """Let go: nothing new is started, containers run on, the next process finds them."""
        self._closing.set()
        self._slots.close()
        self._cleaning.close()

    # -- opening a run ---------------------------------------------------------------------------

    def _begin(self, run_id: str, plan: Plan | None) -> None:
        record = self._host.ledger.runs.get(run_id)
        if record.state in FINAL:
            self._ended[run_id].set()
            return
        plan = plan or loads(Plan, self._host.ledger.runs.plan(run_id))
        if plan.concurrency is None:
            self._open(record, plan)
        else:
            self._ask_for_turn(record, plan, plan.concurrency)

    def _ask_for_turn(self, record: RunRecord, plan: Plan, group: Group) -> None:
        member = Member(
            id=record.id,
            start=lambda: self._open_waiting(record.id),
            cancel=lambda reason: self.cancel(record.id, reason=reason),
        )
        with self._lock:
            self._waiting[record.id] = (record, plan)
        holder = self._turns.ask(
            group_key(record.repository, group.name),
            member,
            depth=group.queue,
            cancels_holder=group.cancel_in_progress is True,
        )
        if holder != record.id:
            reason = f"waits for run {holder} in concurrency group '{group.name}'"
            self._host.ledger.runs.record(
                record.id,
                run=RunUpdate(reason=reason),
                events=[EventDraft(kind="run.waiting", data={"reason": reason})],
                at=self._host.clock(),
            )

    def _open_waiting(self, run_id: str) -> None:
        with self._lock:
            waiting = self._waiting.pop(run_id, None)
        if waiting is not None:
            self._open(*waiting)

    def _open(self, record: RunRecord, plan: Plan) -> None:
        active = self._activate(record, plan)
        self._slots.follow(active, active.begin())
        if record.is_cancel_requested:
            self.cancel(record.id, reason="cancelled")

    def _activate(self, record: RunRecord, plan: Plan) -> ActiveRun:
        host = self._host
        self._facts = self._facts or host.engine.facts()
        active = ActiveRun(
            host.ledger,
            make_surroundings(host, record, plan, facts=self._facts),
            host.ledger.runs.jobs(record.id),
            gates=RunGates(
                host.ledger, record, plan, environments=host.environments, is_attended=host.is_attended
            ),
            clock=host.clock,
            is_reported=host.is_reported,
            giving_up=self._closing if host.waits_for_engine else None,
        )
        with self._lock:
            self._runs[record.id] = active
        return active

    # -- ending a run ----------------------------------------------------------------------------

    def _finish_if_over(self, active: ActiveRun) -> None:
        if active.state is None:
            if active.is_at_rest and not self._host.is_attended:
                self._cleaning.vacate(active)
            return
        with self._lock:
            if self._runs.pop(active.id, None) is None:
                return
        group = active.plan.concurrency
        if group is not None:
            self._turns.leave(group_key(active.record.repository, group.name), active.id)
        self._cleaning.remove_run(active.id, on_end=self._ended[active.id].set)

    def _give_up(self, active: ActiveRun, error: Exception) -> None:
        """A run whose state cannot be written down any more: whoever waits for it is told."""
        self._broken[active.id] = error
        with self._lock:
            self._runs.pop(active.id, None)
        self._ended[active.id].set()
