"""Calls at a later time, all of them on one thread: timeouts, retries, polls."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Alarm:
    """One call to come. `cancel` it, and it does not."""

    due: float
    order: int
    call: Callable[[], None] = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Forget it. Does nothing where it has rung."""
        self.is_cancelled = True
        self.call = _nothing


def _nothing() -> None:
    return None


class Alarms:
    """Rings alarms on a thread of its own, made when the first is set. Calls must be short (see `behind`)."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def after(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        """Ring in `delay_s` seconds."""
        alarm = Alarm(due=time.monotonic() + delay_s, order=next(self._order), call=call)
        with self._changed:
            heapq.heappush(self._heap, alarm)
            if self._thread is None:
                self._thread = threading.Thread(target=self._ring, name="alarms", daemon=True)
                self._thread.start()
            elif self._heap[0] is alarm:
                self._changed.notify()
        return alarm

    def close(self) -> None:
        """Ring no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _ring(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and (not self._heap or self._heap[0].due > time.monotonic()):
                    self._drop_cancelled()
                    wait_s = self._heap[0].due - time.monotonic() if self._heap else None
                    if wait_s is None or wait_s > 0:
                        self._changed.wait(wait_s)
                if self._is_closed:
                    return
                alarm = heapq.heappop(self._heap)
            if not alarm.is_cancelled:
                alarm.call()

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0].is_cancelled:
            heapq.heappop(self._heap)


def behind(name: str, call: Callable[[], None]) -> None:
    """Make a call that may take long, on a thread of its own."""
    threading.Thread(target=call, name=name, daemon=True).start()
