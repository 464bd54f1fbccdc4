"""Carries runs out: any number at once, sharing the slots of one host. The daemon and `windlass run`
make one conductor each; from then on both mean the same.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windlass_registry.errors import WindlassError
from windlass_runner.data.trees import remove_tree
from windlass_runner.engines.base import Engine, EngineFacts
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, RunRecord, RunUpdate
from windlass_runner.plan.codec import loads
from windlass_runner.plan.contexts import event_contexts, github_context
from windlass_runner.plan.model import Group, Plan
from windlass_runner.run.active import ActiveRun
from windlass_runner.run.assembly import Surroundings
from windlass_runner.run.base_run import find_base
from windlass_runner.run.environments import Environments, no_environments
from windlass_runner.run.gates import RunGates
from windlass_runner.run.groups import Member, Turns
from windlass_runner.run.images import Images
from windlass_runner.run.kept import DEFAULT_LIMIT_BYTES
from windlass_runner.run.slots import ENGINE_RETRY_S, Slots, group_key
from windlass_runner.run.states import FINAL, State
from windlass_runner.run.storage import Storage

log = logging.getLogger("windlass_runner.conductor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the conductor works with. Wired once, by the daemon or by `windlass run`."""

    ledger: Ledger
    engine: Engine
    storage: Storage
    action_folder: Callable[[str], Path]
    """Folder of a package, by digest."""
    fill_workspace: Callable[[RunRecord, Path], None]
    """Put a private copy of the run's commit (or snapshot) into an empty folder."""
    secret: Callable[[str], str | None]
    clock: Callable[[], float]
    parallelism: int
    name: str = "local"
    cache_bytes: int = DEFAULT_LIMIT_BYTES
    """For each repository, what its jobs keep for later runs."""
    variables: Mapping[str, str] = field(default_factory=dict)
    environments: Environments = no_environments
    is_attended: bool = False
    """Whether somebody sits beside it, whose answer alone opens any gate."""
    is_reported: bool = True
    """Whether states are posted to a forge."""
    waits_for_engine: bool = True
    """Whether to wait when the engine or the ledger cannot go on (a daemon), or to fail (a single run)."""


class Conductor:
    """See the module. Made once per process; `close` lets go and leaves containers running."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turns = Turns()
        self._closing = threading.Event()
        self._slots = Slots(
            count=host.parallelism,
            host_name=host.name,
            waits_for_engine=host.waits_for_engine,
            turns=self._turns,
            closing=self._closing,
            on_change=self._finish_if_over,
            on_broken=self._give_up,
        )
        self._runs: dict[str, ActiveRun] = {}
        self._waiting: dict[str, tuple[RunRecord, Plan]] = {}
        self._ended: dict[str, threading.Event] = {}
        self._broken: dict[str, Exception] = {}
        self._lock = threading.RLock()
        self._behind = ThreadPoolExecutor(2, thread_name_prefix="windlass-behind")
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
        self._behind.shutdown(wait=False, cancel_futures=True)

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
        facts = self._facts = self._facts or host.engine.facts()
        around = Surroundings(
            run=record,
            plan=plan,
            engine=host.engine,
            images=Images(host.engine, pinned=plan.images, registries=plan.image_registries),
            storage=host.storage,
            contexts=self._contexts(record, plan),
            secret=_no_secret if plan.event.is_fork else host.secret,
            action_folder=host.action_folder,
            fill_workspace=lambda folder: host.fill_workspace(record, folder),
            clock=host.clock,
            cpus=facts.cpus,
            memory_bytes=facts.memory_bytes,
            cache_bytes=host.cache_bytes,
            base=lambda: find_base(host.ledger, record, plan.event),
        )
        active = ActiveRun(
            host.ledger,
            around,
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

    def _contexts(self, record: RunRecord, plan: Plan) -> dict[str, Any]:
        contexts = event_contexts(
            plan.event,
            workflow=plan.workflow,
            path=plan.path,
            inputs=plan.inputs,
            variables=self._host.variables,
        )
        contexts["github"] = github_context(
            plan.event, workflow=plan.workflow, path=plan.path, run_id=record.id, run_number=record.number
        )
        contexts["run"] = {"id": record.id, "number": record.number, "name": plan.run_name}
        contexts["runner"] = {"os": "Linux", "name": self._host.name, "temp": "/windlass/temp"}
        return contexts

    # -- ending a run ----------------------------------------------------------------------------

    def _finish_if_over(self, active: ActiveRun) -> None:
        if active.state is None:
            if active.is_at_rest and not self._host.is_attended and not self._closing.is_set():
                self._behind.submit(self._vacate, active)
            return
        with self._lock:
            if self._runs.pop(active.id, None) is None:
                return
        group = active.plan.concurrency
        if group is not None:
            self._turns.leave(group_key(active.record.repository, group.name), active.id)
        if not self._closing.is_set():
            self._behind.submit(self._tidy, active.id)

    def _vacate(self, active: ActiveRun) -> None:
        """A run that waits for people, for days perhaps, keeps nothing on the host but files: networks are
        few. What goes on then makes its own anew."""
        self._slots.wait_cleaned(active.id)
        with active.rest:
            if active.is_at_rest:
                try:
                    self._host.engine.destroy(active.id)
                except WindlassError as error:
                    log.warning("cannot remove what run %s does not need: %s", active.id, error)

    def _tidy(self, run_id: str) -> None:
        """Remove what is left of a run on the host; never cancelled, tried until it is done."""
        self._slots.wait_cleaned(run_id)
        scratch = self._host.storage.scratch(run_id)
        beside = threading.Thread(target=_remove, args=(scratch,), name="windlass-scratch")
        beside.start()
        while True:
            try:
                self._host.engine.destroy(run_id)
                break
            except WindlassError as error:
                log.warning("cannot remove what run %s left: %s", run_id, error)
                if not self._host.waits_for_engine or self._closing.wait(ENGINE_RETRY_S):
                    break
        beside.join()
        _remove(scratch)  # what came to lie there until nothing ran any more
        self._ended[run_id].set()

    def _give_up(self, active: ActiveRun, error: Exception) -> None:
        """A run whose state cannot be written down any more: whoever waits for it is told."""
        self._broken[active.id] = error
        with self._lock:
            self._runs.pop(active.id, None)
        self._ended[active.id].set()


def _remove(scratch: Path) -> None:
    """What cannot go (a file of somebody else's) holds neither the rest back nor the run."""
    try:
        remove_tree(scratch)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)


def _no_secret(_name: str) -> None:
    """What a fork's pull request gets, also once it is approved."""
