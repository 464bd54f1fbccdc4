"""The jobs that may start, in the order in which they do: priority first, then age."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field
from typing import Any

Rank = tuple[int, str, int]


@dataclass(order=True, slots=True)
class Entry:
    """One job that waits for a slot."""

    rank: Rank
    """Minus priority, its run's id (they rise with time), order within the run."""
    run: Any = field(compare=False)
    key: str = field(compare=False)
    attempt: int = field(compare=False, default=1)
    is_taken: bool = field(compare=False, default=False)
    group: str | None = field(compare=False, default=None)
    """The concurrency group that it holds."""
    begun: Any = field(compare=False, default=None)
    """Its attempt, where that is written down as begun already."""
    before: Any = field(compare=False, default=None)
    """The attempt that had the slot before, to be cleaned away as soon as this one runs."""


class JobQueue:
    """A priority queue that several slots take from. Safe for threads."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self.idle = 0
        """How many takers wait."""

    def put(self, entry: Entry) -> None:
        """Let a job wait for a slot."""
        with self._changed:
            heapq.heappush(self._heap, entry)
            self._changed.notify()

    def take(self) -> Entry | None:
        """The next job; blocks. None: the queue was closed."""
        with self._changed:
            while not self._is_closed:
                self._drop_taken()
                if self._heap:
                    entry = heapq.heappop(self._heap)
                    entry.is_taken = True
                    return entry
                self.idle += 1
                self._changed.wait()
                self.idle -= 1
            return None

    def has_better_than(self, rank: Rank) -> bool:
        """Whether a job waits that comes before this one."""
        with self._changed:
            self._drop_taken()
            return bool(self._heap) and self._heap[0].rank < rank

    def size(self) -> int:
        """How many jobs wait."""
        with self._changed:
            return len(self._heap)

    def close(self) -> None:
        """Wake everybody who waits; nothing more is given out."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _drop_taken(self) -> None:
        while self._heap and self._heap[0].is_taken:
            heapq.heappop(self._heap)
