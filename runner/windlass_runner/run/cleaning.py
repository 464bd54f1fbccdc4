"""What runs and their attempts leave on the host goes, by threads of its own: no job waits for that."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from windlass_registry.errors import WindlassError
from windlass_runner.data.trees import remove_tree
from windlass_runner.engines.base import Engine
from windlass_runner.run.active import ActiveRun
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.storage import Storage
from windlass_runner.run.timed import ENGINE_RETRY_S

log = logging.getLogger("windlass_runner.cleaning")


class Cleaning:
    """See the module. Safe to use from several threads. Once `closing` is set, all is left as it is: the next
    process finds it."""

    def __init__(
        self, engine: Engine, storage: Storage, *, closing: threading.Event, waits_for_engine: bool
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._closing = closing
        self._waits_for_engine = waits_for_engine
        self._of_attempts = ThreadPoolExecutor(2, thread_name_prefix="windlass-clean")
        self._of_runs = ThreadPoolExecutor(2, thread_name_prefix="windlass-behind")
        self._begun: dict[str, list[Future[None]]] = {}
        """Of the attempts, by run."""
        self._lock = threading.Lock()

    def remove_attempt(self, run_id: str, attempt: Attempt) -> None:
        """Clean an ended attempt away."""
        if self._closing.is_set():
            return
        future = self._of_attempts.submit(attempt.clean)
        with self._lock:
            unfinished = [one for one in self._begun.get(run_id, []) if not one.done()]
            self._begun[run_id] = [*unfinished, future]

    def vacate(self, active: ActiveRun) -> None:
        """A run that waits for people, for days perhaps, keeps nothing on the host but files: networks are
        few. What goes on then makes its own anew."""
        if not self._closing.is_set():
            self._of_runs.submit(self._vacate, active)

    def remove_run(self, run_id: str, *, on_end: Callable[[], None]) -> None:
        """Remove what is left of an ended run; never cancelled, tried until it is done."""
        if not self._closing.is_set():
            self._of_runs.submit(self._remove_run, run_id, on_end)

    def close(self) -> None:
        """Begin nothing more."""
        for pool in (self._of_attempts, self._of_runs):
            pool.shutdown(wait=False, cancel_futures=True)

    def _vacate(self, active: ActiveRun) -> None:
        self._await_attempts(active.id)
        with active.rest:
            if active.is_at_rest:
                try:
                    self._engine.destroy(active.id)
                except WindlassError as error:
                    log.warning("cannot remove what run %s does not need: %s", active.id, error)

    def _remove_run(self, run_id: str, on_end: Callable[[], None]) -> None:
        self._await_attempts(run_id)
        scratch = self._storage.scratch(run_id)
        beside = threading.Thread(target=_remove, args=(scratch,), name="windlass-scratch")
        beside.start()
        while True:
            try:
                self._engine.destroy(run_id)
                break
            except WindlassError as error:
                log.warning("cannot remove what run %s left: %s", run_id, error)
                if not self._waits_for_engine or self._closing.wait(ENGINE_RETRY_S):
                    break
        beside.join()
        _remove(scratch)  # what came to lie there until nothing ran any more
        on_end()

    def _await_attempts(self, run_id: str) -> None:
        with self._lock:
            begun = self._begun.pop(run_id, [])
        for future in begun:
            future.exception()


def _remove(scratch: Path) -> None:
    """What cannot go (a file of somebody else's) holds neither the rest back nor the run."""
    try:
        remove_tree(scratch)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
