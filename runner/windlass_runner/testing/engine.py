"""The engine whose containers are fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.engines.base import (
    Container,
    ContainerSpec,
    EngineFacts,
    ImageBuild,
    ImageFacts,
    ImageUnavailable,
    Lane,
    PullProgress,
)
from windlass_runner.testing.host import Call, FakeContainer, FakeHost, Rule, plain_name
from windlass_runner.testing.programs import Program


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
        rule = Rule(program=program, command=None if command is None else tuple(command), image=image)
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
        if plain_name(spec.image) in self.host.missing_images:
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
