"""That an attempt is to end before its time, and which of its steps that met.

The step that runs is stopped; those whose `if` asks for it (`always()`, `cancelled()`) still follow,
for a bounded time, as on GitHub. Whoever comes back after a crash must decide about each step as it
was decided before: so it is written down which step was the last to come before the stop.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, Literal

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.run.scratch import AttemptFolders

GRACE_S: Final = 10.0
"""Between SIGTERM and SIGKILL of the step that is stopped."""
LAST_STEPS_S: Final = 300.0
"""What the steps that follow a stop may take, from the stop on; GitHub's five minutes."""
_STEPS, _STOP = "steps", "stop"

StopReason = Literal["cancelled", "timeout", "finished"]
"""`finished`: somebody has what they wanted of an app, and the job is a success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why, and when: `step` is the number of the last one that came before it (0: none), `at` seconds
    since the epoch. `because` is what people read."""

    reason: StopReason
    because: str
    step: int
    at: float


class Stopping:
    """Whether one attempt is to stop. Outlives its hosts, and by its folder this process. Safe to use
    from several threads."""

    def __init__(self, folders: AttemptFolders, *, clock: Callable[[], float]) -> None:
        self._folders = folders
        self._clock = clock
        self._lock = threading.Lock()
        self._step = 0
        self._stop: Stop | None = None
        self._is_forced = False
        self._is_restored = False

    @property
    def stop(self) -> Stop | None:
        """The stop, once somebody has asked for it."""
        return self._stop

    @property
    def is_forced(self) -> bool:
        """Whether nothing more is to run at all."""
        return self._is_forced

    def ask(self, reason: StopReason, because: str, *, force: bool = False) -> None:
        """Ask for it; the first one counts. `force`: the steps that would follow do not."""
        with self._lock:
            self._is_forced = self._is_forced or force
            self._restore()
            if self._stop is not None:
                return
            stop = Stop(reason=reason, because=because, step=self._step, at=self._clock())
            with contextlib.suppress(OSError):  # no folder yet, or no space: then only this life knows it
                SharedFolder(self._folders.root).write(_STOP, json.dumps(asdict(stop)).encode())
            self._stop = stop

    def force(self) -> None:
        """The time is over: let nothing more run."""
        with self._lock:
            self._is_forced = True

    def enter(self, number: int) -> bool:
        """The step of that number comes next. Whether the stop came before it.

        Raises:
            OSError: it cannot be written down, or read.
        """
        with self._lock:
            self._restore()
            if number > self._step:
                if number > 1:  # the first is known by its files
                    with (self._folders.root / _STEPS).open("a") as file:
                        file.write(f"{number}\n")
                self._step = number
            return self._stop is not None and number > self._stop.step

    def bars(self, number: int) -> bool:
        """Whether that step may not run any more, whatever its `if` says."""
        return self._is_forced and (self._stop is None or number > self._stop.step)

    def has_met(self, number: int) -> bool:
        """Whether that step was the one to be stopped, or is by force."""
        return self._is_forced or (self._stop is not None and number == self._stop.step)

    def left_s(self) -> float:
        """For how long the steps after the stop may still run."""
        if self._stop is None:
            return LAST_STEPS_S
        return max(0.0, self._stop.at + LAST_STEPS_S - self._clock())

    def _restore(self) -> None:
        """Take over what an earlier life of the attempt has written down, if there was one."""
        if self._is_restored:
            return
        self._is_restored = True
        if not self._folders.step(1).exists():
            return
        self._step = 1
        with contextlib.suppress(FileNotFoundError):
            self._step = max(map(int, (self._folders.root / _STEPS).read_text().split()))
        with contextlib.suppress(FileNotFoundError):
            self._stop = Stop(**json.loads((self._folders.root / _STOP).read_bytes()))
