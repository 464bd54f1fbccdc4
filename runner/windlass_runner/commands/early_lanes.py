"""A local run's first network sandboxes, made while the rest of the program is still being loaded.

They exist before the ledger knows of their run. Until it does, a locked file says whose they are: one
that nobody holds was left by a killed process, and the next run here clears away what it stands for.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Sequence
from pathlib import Path

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.engines.base import Engine, Lane
from windlass_runner.run.storage import Storage


class EarlyLanes:
    """Begins at once to open `lanes` for the run that will be called `run_id`. `close` in any case."""

    def __init__(self, engine: Engine, storage: Storage, *, run_id: str, lanes: Sequence[Lane]) -> None:
        self.run_id = run_id
        self._engine = engine
        self._mark = _marks(storage) / run_id
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._mark.open("w")
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        self._is_needed = False
        self._threads = [
            threading.Thread(target=self._open, args=(lane,), name=lane.name, daemon=True) for lane in lanes
        ]
        for thread in self._threads:
            thread.start()

    def keep_for(self, run_id: str) -> None:
        """The ledger knows the run now, and whoever clears away after it finds the lanes by its id."""
        self._is_needed = run_id == self.run_id

    def wait(self) -> None:
        """Block until they are open. One that cannot be opened is told by the job that needs it."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Remove the lanes where no run took them over. Idempotent."""
        if self._stream.closed:
            return
        self.wait()
        if not self._is_needed:
            with contextlib.suppress(OperatorError, UpstreamError):
                self._engine.destroy(self.run_id)
        self._mark.unlink(missing_ok=True)
        self._stream.close()

    def _open(self, lane: Lane) -> None:
        with contextlib.suppress(OperatorError, UpstreamError):
            self._engine.open_lane(self.run_id, lane)


def clear_left_lanes(engine: Engine, storage: Storage) -> None:
    """Remove the early lanes of processes that were killed before the ledger knew of their run."""
    folder = _marks(storage)
    for mark in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError), mark.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            engine.destroy(mark.name)
            mark.unlink(missing_ok=True)


def _marks(storage: Storage) -> Path:
    return storage.root / "early"
