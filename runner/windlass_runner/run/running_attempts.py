"""The attempts of one run that run now: those that this process has in hand, and those that an earlier one
left, until they are found again. Used by `run.active`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from windlass_runner.ledger.records import JobRecord
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.stopping import StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """An attempt was running already: since when, and why it is to end."""

    started_at: float | None
    stop: tuple[StopReason, str] | None


class RunningAttempts:
    """Not safe for threads: its owner holds a lock. `records`: the jobs as they were left."""

    def __init__(self, records: Iterable[JobRecord]) -> None:
        self._here: dict[str, Attempt] = {}
        self._left = {record.key: record for record in records if record.attempt}
        self._stops: dict[str, tuple[StopReason, str]] = {}
        """Why to stop an attempt that was left, as soon as it is found again."""

    def get(self, key: str) -> Attempt | None:
        """The attempt of that job that this process has in hand."""
        return self._here.get(key)

    def is_left(self, key: str) -> bool:
        """Whether the job runs, and nobody here has it in hand yet."""
        return key in self._left and self._left[key].state == "running"

    def next_number(self, key: str) -> int:
        """The number of the attempt that was left running, or of the one that was to be made next."""
        record = self._left.get(key)
        if record is None:
            return 1
        return record.attempt if record.state == "running" else record.attempt + 1

    def begin(self, attempt: Attempt) -> Resumed | None:
        """This process has the attempt in hand from now on; None: it is a new one."""
        key = attempt.job.key
        self._here[key] = attempt
        record = self._left.pop(key, None)
        if record is None or record.state != "running" or record.attempt != attempt.number:
            return None
        return Resumed(started_at=record.started_at, stop=self._stops.pop(key, None))

    def end(self, key: str) -> None:
        """The job's attempt has ended, if there was one."""
        self._here.pop(key, None)

    def stop(self, key: str, reason: StopReason, because: str, *, force: bool = False) -> bool:
        """Stop the job's attempt, gracefully. One that was left is stopped when it is found; a cancel counts
        there before all else. False: none runs."""
        if (attempt := self._here.get(key)) is not None:
            attempt.stop(reason, because, force=force)
            return True
        if self.is_left(key):
            if reason == "cancelled" or key not in self._stops:
                self._stops[key] = (reason, because)
            return True
        return False
