"""What follows when something has happened to a run: handed from `run.active` to the slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from windlass_runner.run.attempt import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A job to be queued."""

    key: str
    attempt: int = 1
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A job's attempt, made ready while the job that it waits for ran: it may begin when that has ended."""

    attempt: Attempt
    host: str
    is_its_turn: Callable[[], bool]

    def may_begin(self, starts: Sequence[Start]) -> bool:
        """Whether it is among what follows, and its turn."""
        return any(start.key == self.attempt.job.key for start in starts) and self.is_its_turn()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What follows from a job's end. `begun`: the successor, where it is among them and has begun."""

    starts: list[Start]
    begun: Attempt | None = None
