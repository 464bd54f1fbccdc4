"""What an attempt has running: its containers, the step that runs in them, and how a stop ends these."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from windlass_registry.errors import WindlassError
from windlass_runner.engines.base import Container, EngineUnavailable
from windlass_runner.run.alarms import behind
from windlass_runner.run.stopping import Stopping

log = logging.getLogger("windlass_runner.attempt")


@dataclass(slots=True, kw_only=True)
class _Running:
    """The step that runs now, and what ends it."""

    number: int
    end: Callable[[], None]
    is_ending: bool = False


class InFlight:
    """`stop` may come from any thread; the rest belongs to one."""

    def __init__(self, stopping: Stopping, containers: Iterable[Container]) -> None:
        self._stopping = stopping
        self._lock = threading.Lock()
        self._containers = list(containers)
        self._running: _Running | None = None
        self._end_of_time: threading.Timer | None = None
        self.is_preparing = False
        """Services are being started: with a stop they go, as nobody waits for them any more."""
        self.is_overdue = False
        """The steps that followed a stop took too long, and were ended."""

    def add(self, container: Container) -> None:
        """A container is there, which goes with the others."""
        with self._lock:
            self._containers.append(container)

    def named(self, name: str) -> Container:
        """That one of the containers."""
        return next(container for container in self._containers if container.name == name)

    def begin(self, number: int, end: Callable[[], None]) -> None:
        """A step runs, and `end` ends it; at once, where the stop came before that could be done."""
        with self._lock:
            self._running = _Running(number=number, end=end)
        self._end_if_met()

    def note_end(self) -> None:
        """No step runs any more."""
        self._running = None

    def stop(self) -> None:
        """Carry out the stop that was asked for, behind: the step that runs is ended, services that are not
        ready yet go, and the steps that follow end when their time is over. By force, all ends at once.
        Idempotent."""
        with self._lock:
            if self._end_of_time is None:
                self._end_of_time = _timer(self._stopping.left_s(), self._end_overdue)
        if self._stopping.is_forced or self.is_preparing:
            _behind(self._end_all)
        else:
            self._end_if_met()

    def let_go(self) -> tuple[Container, ...]:
        """Forget the containers, and leave them as they are."""
        with self._lock:
            if self._end_of_time is not None:
                self._end_of_time.cancel()
            containers, self._containers = self._containers, []
        return tuple(containers)

    def _end_overdue(self) -> None:
        self.is_overdue = True
        self._stopping.force()
        self._end_all()

    def _end_all(self) -> None:
        """End what runs, services and all."""
        with self._lock:
            containers = list(self._containers)
        for container in reversed(containers):
            container.stop(grace_s=0)

    def _end_if_met(self) -> None:
        """End the step that runs, once, where it is the one that the stop has met."""
        with self._lock:
            running = self._running
            if running is None or running.is_ending or not self._stopping.has_met(running.number):
                return
            running.is_ending = True
        _behind(running.end)


def _timer(delay_s: float, call: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(delay_s, _unless_away, (call,))
    timer.name, timer.daemon = "last-steps", True
    timer.start()
    return timer


def _behind(call: Callable[[], None]) -> None:
    behind("stop", lambda: _unless_away(call))


def _unless_away(call: Callable[[], None]) -> None:
    """Where the engine does not answer, whoever waits for the step meets that too, and comes back."""
    try:
        call()
    except EngineUnavailable:
        return
    except WindlassError as error:
        log.warning("what is to be stopped goes on: %s", error)
