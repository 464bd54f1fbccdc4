"""A thread that does one kind of work, again and again, and survives whatever happens to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.daemon.journal import Journal

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """How a worker fares. `error` is None while it does its work."""

    name: str
    is_alive: bool
    error: str | None


class Worker:
    """Calls `work` whenever it is woken, and when the pause is over that `work` returned (None: no
    end). An exception never ends it: it is written down, shown on `/healthz`, and tried again later.
    `pace_s`: the least time between two calls, however often it is woken."""

    def __init__(self, name: str, work: Callable[[], float | None], *, pace_s: float = 0.0) -> None:
        self.name = name
        self._work = work
        self._pace_s = pace_s
        self._journal = Journal(name)
        self._woken = threading.Event()
        self._is_stopping = threading.Event()
        self._failures = 0
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"windlass-{name}", daemon=True)

    def start(self) -> None:
        """Begin; the first call of `work` comes at once."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do. Cheap; from any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def stop(self) -> None:
        """Begin no further work."""
        self._is_stopping.set()
        self._woken.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the work in hand. False: it did not end in time."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> WorkerState:
        """How it fares now."""
        return WorkerState(name=self.name, is_alive=self._thread.is_alive(), error=self._error)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._woken.clear()
            pause_s = self._work_once()
            if not self._is_stopping.wait(self._pace_s):
                self._woken.wait(pause_s)

    def _work_once(self) -> float | None:
        try:
            pause_s = self._work()
        except Exception as error:  # the outermost loop of a worker: whatever it is, we go on
            return self._note_failure(error)
        if self._error is not None:
            self._journal.info("worker.recovered")
        self._failures, self._error = 0, None
        return pause_s

    def _note_failure(self, error: Exception) -> float:
        self._failures += 1
        text = str(error) or repr(error)
        if not isinstance(error, WindlassError):
            self._journal.broken("worker.broken", error)
        elif text != self._error:
            self._journal.warning("worker.waits", reason=text)
        self._error = text
        if isinstance(error, UpstreamError) and error.retry_after_s is not None:
            return min(error.retry_after_s, _LONGEST_PAUSE_S)
        return backoff_s(self._failures, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)


def backoff_s(failures: int, *, first: float, longest: float) -> float:
    """How long to wait after so many failures in a row: twice as long each time."""
    return float(min(longest, first * 2 ** min(max(failures - 1, 0), 16)))
