"""An engine without containers, for tests: of the project, and of authors who build upon it.

`FakeEngine` keeps the contract of `engines.base` and runs *programs*: Python functions that stand
for what a container would do. A program is found by the container's command and image.

    engine = FakeEngine()
    engine.add_program(says(b"hello\\n", code=3), command=("sh", "-c", "greet"))

Two engines that share a `FakeHost` are two lives of one daemon on one machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.engines.base import (
    CommandNotStartable,
    Container,
    ContainerExit,
    ContainerSpec,
    ContainerState,
    EngineFacts,
    ImageBuild,
    ImageFacts,
    ImageUnavailable,
    Lane,
    Mount,
    PullProgress,
)

KILLED = 137
OUT_OF_MEMORY = 137
_COMMAND_NOT_FOUND = 127


class FakeProcess:
    """What a program sees of its container, while it runs in a thread of its own."""

    def __init__(self, spec: ContainerSpec, container: FakeContainer) -> None:
        self.spec = spec
        self._container = container

    @property
    def is_stopping(self) -> threading.Event:
        """Set when SIGTERM has come. A program that ignores it is cut off after the grace period."""
        return self._container.terminated

    def write(self, output: bytes) -> None:
        """Write to the container's log."""
        self._container.append(output)

    def path(self, target: str) -> Path:
        """Where a path inside the container lies on the host. Raises `KeyError` outside of mounts."""
        mount = self._mount_of(target)
        return mount.source / target[len(mount.target) :].lstrip("/")

    def is_read_only(self, target: str) -> bool:
        return self._mount_of(target).is_read_only

    def _mount_of(self, target: str) -> Mount:
        inside = [m for m in self.spec.mounts if target == m.target or target.startswith(m.target + "/")]
        if not inside:
            raise KeyError(target)
        return max(inside, key=lambda mount: len(mount.target))


Program = Callable[[FakeProcess], int | ContainerExit]
"""Does what the container does and gives its exit code."""


def says(
    output: bytes = b"", *, code: int = 0, is_oom: bool = False, after: threading.Event | None = None
) -> Program:
    """A program that writes `output` and ends with `code`; between them it waits for `after`, or for
    SIGTERM (then it ends with 143)."""

    def program(process: FakeProcess) -> int | ContainerExit:
        process.write(output)
        while after is not None and not after.wait(0.005):
            if process.is_stopping.is_set():
                return 143
        return ContainerExit(code=OUT_OF_MEMORY, oom_killed=True) if is_oom else code

    return program


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an engine or of a container: `subject` is a container's name, a run's id or an image."""

    method: str
    subject: str


@dataclass(slots=True, kw_only=True)
class _Rule:
    program: Program
    command: tuple[str, ...] | None
    image: str | None

    def fits(self, spec: ContainerSpec) -> bool:
        words = (*(spec.entrypoint or ()), *(spec.command or ()))
        return self.command in (None, words) and self.image in (None, _name(spec.image))


def _name(image: str) -> str:
    """An image's name without the digest that `fetch_image` gave it."""
    return image.partition("@")[0]


@dataclass(slots=True, kw_only=True)
class FakeHost:
    """What outlives an engine: containers, lanes, images and everything scripted."""

    containers: dict[str, FakeContainer] = field(default_factory=dict)
    lanes: set[tuple[str, Lane]] = field(default_factory=set)
    missing_images: set[str] = field(default_factory=set)
    rules: list[_Rule] = field(default_factory=list)
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
                self._end(ContainerExit(code=KILLED))

    def remove(self, *, wait: bool = False) -> None:
        self._host.record("remove", self.name)
        self.discard()

    def discard(self) -> None:
        """Be gone, whatever the state."""
        self.terminated.set()
        with self._changed:
            if self._state != "ended":
                self._end(ContainerExit(code=KILLED))
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
        try:
            result = program(FakeProcess(self.spec, self))
        finally:
            with self._changed:
                if self._state == "running":
                    self._end(result if isinstance(result, ContainerExit) else ContainerExit(code=result))

    def _end(self, result: ContainerExit) -> None:
        with self._changed:
            self._state, self._exit = "ended", result
            self._changed.notify_all()


class FakeEngine:
    """See `base.Engine`."""

    name = "fake"

    def __init__(self, host: FakeHost | None = None) -> None:
        self.host = host or FakeHost()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call so far, in order, by all engines of this host."""
        with self.host.lock:
            return tuple(self.host.calls)

    def add_program(
        self, program: Program, *, command: Sequence[str] | None = None, image: str | None = None
    ) -> None:
        """Run `program` for containers with this command (entrypoint and command in one) and image;
        None fits any. The last one added that fits is taken."""
        rule = _Rule(program=program, command=None if command is None else tuple(command), image=image)
        with self.host.lock:
            self.host.rules.append(rule)

    def fail_next(self, method: str, error: WindlassError, *, times: int = 1) -> None:
        """Let the next calls of that method (of engine or container) raise `error`."""
        with self.host.lock:
            self.host.failures.setdefault(method, []).extend([error] * times)

    def lose_image(self, reference: str) -> None:
        """Let an image be neither here nor to be had."""
        self.host.missing_images.add(reference)

    def facts(self) -> EngineFacts:
        self.host.record("facts", "")
        return EngineFacts(
            name=self.name, version="1", isolation="none", cpus=2, memory_bytes=2**30, notes=("nothing runs",)
        )

    def fetch_image(
        self, reference: str, *, on_pull: Callable[[PullProgress], None] = lambda _progress: None
    ) -> ImageFacts:
        self.host.record("fetch_image", reference)
        if reference in self.host.missing_images:
            raise ImageUnavailable(reference, "there is no such image")
        return ImageFacts(reference=reference, digest=f"{reference}@sha256:{'0' * 64}")

    def find_image(self, reference: str) -> ImageFacts | None:
        self.host.record("find_image", reference)
        if reference in self.host.missing_images:
            return None
        return ImageFacts(reference=reference, digest=f"{reference}@sha256:{'0' * 64}")

    def build_image(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        self.host.record("build_image", build.reference)
        on_line(f"built {build.reference}")
        return ImageFacts(reference=build.reference, digest=f"{build.reference}@sha256:{'0' * 64}")

    def open_lane(self, run_id: str, lane: Lane) -> None:
        self.host.record("open_lane", run_id)
        with self.host.lock:
            self.host.lanes.add((run_id, lane))

    def create(self, spec: ContainerSpec) -> Container:
        self.host.record("create", spec.name)
        if _name(spec.image) in self.host.missing_images:
            raise ImageUnavailable(spec.image, "there is no such image")
        with self.host.lock:
            self.host.lanes.add((spec.run_id, spec.lane))
            existing = self.host.containers.get(spec.name)
            if existing is None:
                existing = self.host.containers[spec.name] = FakeContainer(self.host, spec)
        if existing.spec.run_id != spec.run_id:
            raise OperatorError(f"a container named '{spec.name}' exists and is not of run {spec.run_id}")
        return existing

    def find(self, name: str) -> Container | None:
        self.host.record("find", name)
        return self.host.containers.get(name)

    def serve_on(self, wanted: int) -> tuple[str, int]:
        self.host.record("serve_on", str(wanted))
        return "127.0.0.1", wanted

    def address_of(self, run_id: str, lane: Lane) -> str:
        self.host.record("address_of", run_id)
        return "127.0.0.1"

    def close_lane(self, run_id: str, lane: Lane) -> None:
        self.host.record("close_lane", run_id)
        with self.host.lock:
            self.host.lanes.discard((run_id, lane))
        self._discard(lambda spec: (spec.run_id, spec.lane) == (run_id, lane) and bool(spec.service_alias))

    def destroy(self, run_id: str) -> None:
        self.host.record("destroy", run_id)
        self._discard(lambda spec: spec.run_id == run_id)
        with self.host.lock:
            self.host.lanes = {lane for lane in self.host.lanes if lane[0] != run_id}

    def present_runs(self) -> frozenset[str]:
        self.host.record("present_runs", "")
        with self.host.lock:
            runs = {run_id for run_id, _ in self.host.lanes}
            return frozenset(runs | {item.spec.run_id for item in self.host.containers.values()})

    def reclaim(self, paths: Sequence[Path], *, image: str) -> None:
        self.host.record("reclaim", image)

    def close(self) -> None:
        self.host.record("close", "")

    def _discard(self, is_meant: Callable[[ContainerSpec], bool]) -> None:
        with self.host.lock:
            meant = [item for item in self.host.containers.values() if is_meant(item.spec)]
        for container in meant:
            container.discard()
