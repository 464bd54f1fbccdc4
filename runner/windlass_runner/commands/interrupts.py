"""Ctrl-C while a run goes on: once asks it to stop, twice makes it. So does a terminal that is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Counts SIGINT, SIGTERM and SIGHUP while it is entered. Only the main thread may enter it.

    What is to be done is done in a thread: a signal may come while locks are held.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.on_first: Callable[[], object] = lambda: None
        self.on_second: Callable[[], object] = lambda: None
        self.count = 0
        self._clock = clock
        self._hard_since: float | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number is not signal.SIGHUP or before is not signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_hard_over(self, limit_s: float) -> bool:
        """Whether the second interrupt is longer ago than that."""
        return self._hard_since is not None and self._clock() - self._hard_since > limit_s

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        action = self.on_first if self.count == 1 else self.on_second
        if self.count == 2:
            self._hard_since = self._clock()
        if self.count <= 2:
            threading.Thread(target=lambda: action(), name="interrupt", daemon=True).start()
