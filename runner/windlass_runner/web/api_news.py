"""Wakes whatever waits for the ledger, with one thread for all of it: hundreds may follow runs at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

_LOOK_S: Final = 0.5


class News:
    """For one event loop. `wait_for_change` is `Ledger.wait_for_change`, which blocks. Once `is_stopping`,
    everybody is woken."""

    def __init__(self, wait_for_change: Callable[[int, float], int], is_stopping: Callable[[], bool]) -> None:
        self._wait_for_change = wait_for_change
        self._is_stopping = is_stopping
        self._seen = 0
        self._next = asyncio.Event()
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    def mark(self) -> asyncio.Event:
        """Take it before looking at the ledger, and wait for it where nothing was found."""
        return self._next

    async def wait(self, mark: asyncio.Event, *, timeout_s: float) -> None:
        """Until something was committed since the mark, or the time is over. It may wake up for nothing."""
        self._waiting += 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await mark.wait()
        finally:
            self._waiting -= 1

    async def _look(self) -> None:
        while self._waiting:
            seen = await asyncio.to_thread(self._wait_for_change, self._seen, _LOOK_S)
            if seen != self._seen or self._is_stopping():
                self._seen = seen
                done, self._next = self._next, asyncio.Event()
                done.set()
