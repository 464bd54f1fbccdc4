"""Hands runs to the conductor, new ones and those that an earlier process left, until it has them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.journal import Journal
from windlass_runner.engines.base import Engine
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.storage import Storage

_RETRY_S: Final = 2.0


class Beginner(Protocol):
    """What is needed of `run.conductor.Conductor`: `begin` returns at once and may be called again."""

    def begin(self, run_id: str) -> None: ...


class Starting:
    """Safe to use from several threads. `turn` is for the runs that could not begin at once."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        conductor: Beginner,
        check_engine: Callable[[], object],
        wake_self: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._conductor = conductor
        self._check_engine = check_engine
        self._wake_self = wake_self
        self._journal = Journal("starting")
        self._lock = threading.Lock()
        self._pending: dict[str, str] = {}

    def enter(self, run_ids: Iterable[str]) -> None:
        """Let these runs begin, in this order."""
        for run_id in run_ids:
            self._begin(run_id)

    def take_up(self) -> int:
        """Let everything begin that has not ended, when the daemon starts; how many there are. What waits
        as a whole for an approval waits on.

        What ran goes first, so that it holds its concurrency group as it did.
        """
        at_gates = self._ledger.gates.waiting_runs()
        found = self._ledger.runs.unfinished()
        unfinished = [run for run in found if run.state != "waiting" or run.id in at_gates]
        self.enter(run.id for run in sorted(unfinished, key=_ran_first))
        return len(unfinished)

    def turn(self) -> float | None:
        """Try again what could not begin; None: nothing waits."""
        with self._lock:
            waiting = list(self._pending)
        self.enter(waiting)
        with self._lock:
            return _RETRY_S if self._pending else None

    def pending(self) -> dict[str, str]:
        """Runs that cannot begin now, with the reason."""
        with self._lock:
            return dict(self._pending)

    def _begin(self, run_id: str) -> None:
        try:
            self._check_engine()  # a run that is begun is begun once: it must find its engine
            self._conductor.begin(run_id)
        except WindlassError as error:
            with self._lock:
                is_news = self._pending.get(run_id) != str(error)
                self._pending[run_id] = str(error)
            if is_news:
                self._journal.warning("run.waits", run=run_id, reason=error)
                self._wake_self()
            return
        with self._lock:
            self._pending.pop(run_id, None)


def _ran_first(run: RunRecord) -> tuple[bool, str]:
    return run.state != "running", run.id


def sweep(engine: Engine, ledger: Ledger, storage: Storage) -> tuple[str, ...]:
    """Remove what runs that have ended (or that nobody knows any more) left on the host; their ids.

    Raises:
        EngineUnavailable
    """
    scratches = _names_in(storage.scratches)  # looked at first: what is begun meanwhile is unfinished
    present = engine.present_runs()
    unfinished = {run.id for run in ledger.runs.unfinished()}
    for run_id in sorted(present - unfinished):
        engine.destroy(run_id)
    for run_id in scratches - unfinished:
        shutil.rmtree(storage.scratch(run_id), ignore_errors=True)
    return tuple(sorted((present | scratches) - unfinished))


def _names_in(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.exists() else frozenset()
