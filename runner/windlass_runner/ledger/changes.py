"""Waking up when something was committed, by this process or by another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

POLL_S: Final = 0.15


class Bell:
    """A counter that goes up with every commit, and a way to wait for it.

    Threads of this process are woken at once. Other processes' commits are looked for while somebody
    waits, by one of the waiting, every `POLL_S` seconds: `poll` says whether there was one, or None
    where it could not look just now.
    """

    def __init__(self, poll: Callable[[], bool | None]) -> None:
        self._poll = poll
        self._condition = threading.Condition()
        self._count = 0
        self._is_watched = False

    def ring(self) -> None:
        """Something was committed."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, *, timeout_s: float) -> int:
        """The counter, as soon as it is not `seen`; the same again after `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._condition:
                is_watcher = self._count == seen and not self._is_watched
                if self._count != seen:
                    return self._count
                self._is_watched = True
                if not is_watcher:
                    self._condition.wait(min(POLL_S, max(0.0, deadline - time.monotonic())))
            if is_watcher:
                self._watch(seen, deadline=deadline)
            if time.monotonic() >= deadline:
                with self._condition:
                    return self._count

    def _watch(self, seen: int, *, deadline: float) -> None:
        """Look once, then wait for at most one interval."""
        try:
            if self._poll():
                self.ring()
            with self._condition:
                if self._count == seen:
                    self._condition.wait(min(POLL_S, max(0.0, deadline - time.monotonic())))
        finally:
            with self._condition:
                self._is_watched = False
