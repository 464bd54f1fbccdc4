"""What outlives an engine: a machine with its containers, whose programs run in threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_runner.engines.base import (
    CommandNotStartable,
    ContainerExit,
    ContainerSpec,
    ContainerState,
    Lane,
)
from windlass_runner.testing.programs import FakeProcess, Program

_KILLED: Final = 137
_COMMAND_NOT_FOUND: Final = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an engine or of a container: `subject` is a container's name, a run's id or an image."""

    method: str
    subject: str


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which containers a program stands for; None: any."""

    program: Program
    command: tuple[str, ...] | None
    image: str | None

    def fits(self, spec: ContainerSpec) -> bool:
        words = (*(spec.entrypoint or ()), *(spec.command or ()))
        return self.command in (None, words) and self.image in (None, plain_name(spec.image))


def plain_name(image: str) -> str:
    """An image's name without the digest that `fetch_image` gave it."""
    return image.partition("@")[0]


@dataclass(slots=True, kw_only=True)
class FakeHost:
    """What outlives an engine: containers, lanes, images and everything scripted."""

    containers: dict[str, FakeContainer] = field(default_factory=dict)
    lanes: set[tuple[str, Lane]] = field(default_factory=set)
    missing_images: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)
    failures: dict[str, list[WindlassError]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def record(self, method: str, subject: str) -> None:
        """Note the call; raise what was scripted for it."""
        with self.lock:
            self.calls.append(Call(method=method, subject=subject))
            if waiting := self.failures.get(method):
                raise waiting.pop(0)


class FakeContainer:
    """See `base.Container`."""

    def __init__(self, host: FakeHost, spec: ContainerSpec) -> None:
        self.spec = spec
        self.terminated = threading.Event()
        self._host = host
        self._changed = threading.Condition()
        self._state: ContainerState = "created"
        self._exit: ContainerExit | None = None
        self._chunks: list[bytes] = []

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def image(self) -> str:
        return self.spec.image

    def state(self) -> ContainerState:
        self._host.record("state", self.name)
        return self._state

    def start(self) -> None:
        self._host.record("start", self.name)
        with self._changed:
            if self._state != "created":
                return
            program = self._program()
            if program is None:
                self._end(ContainerExit(code=_COMMAND_NOT_FOUND))
                raise CommandNotStartable(f"container '{self.name}': the fake engine has no such program")
            self._state = "running"
        threading.Thread(target=self._run, args=(program,), name=f"fake-{self.name}", daemon=True).start()

    def logs(self) -> Iterator[bytes]:
        self._host.record("logs", self.name)
        position = 0
        while fresh := self._chunks_after(position):
            position += len(fresh)
            yield from fresh

    def wait(self) -> ContainerExit:
        self._host.record("wait", self.name)
        with self._changed:
            self._changed.wait_for(lambda: self._exit is not None)
        assert self._exit is not None
        return self._exit

    def wait_healthy(self, *, timeout_s: float) -> bool:
        self._host.record("wait_healthy", self.name)
        with self._changed:
            self._changed.wait_for(lambda: self._state != "created", timeout_s)
            return self._state == "running"

    def stop(self, *, grace_s: float) -> None:
        self._host.record("stop", self.name)
        self.terminated.set()
        with self._changed:
            if self._state == "running":
                self._changed.wait_for(lambda: self._state == "ended", grace_s)
            if self._state == "running":
                self._end(ContainerExit(code=_KILLED))

    def remove(self, *, wait: bool = False) -> None:
        self._host.record("remove", self.name)
        self.discard()

    def discard(self) -> None:
        """Be gone, whatever the state."""
        self.terminated.set()
        with self._changed:
            if self._state != "ended":
                self._end(ContainerExit(code=_KILLED))
        with self._host.lock:
            if self._host.containers.get(self.name) is self:
                del self._host.containers[self.name]

    def append(self, output: bytes) -> None:
        """Add to the log; what comes after the end is lost, as with any killed process."""
        with self._changed:
            if output and self._state == "running":
                self._chunks.append(output)
                self._changed.notify_all()

    def _chunks_after(self, position: int) -> list[bytes]:
        """What was written since; blocks while there is nothing. Empty: it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._chunks) > position or self._state == "ended")
            return self._chunks[position:]

    def _program(self) -> Program | None:
        with self._host.lock:
            fitting = [rule.program for rule in self._host.rules if rule.fits(self.spec)]
        return fitting[-1] if fitting else None

    def _run(self, program: Program) -> None:
        result: int | ContainerExit = 1
        process = FakeProcess(self.spec, is_stopping=self.terminated, write=self.append)
        try:
            result = program(process)
        finally:
            with self._changed:
                if self._state == "running":
                    self._end(result if isinstance(result, ContainerExit) else ContainerExit(code=result))

    def _end(self, result: ContainerExit) -> None:
        with self._changed:
            self._state, self._exit = "ended", result
            self._changed.notify_all()
