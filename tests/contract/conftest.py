"""One bench for every engine: the contract's tests say what a job does, once for a shell and once
as a Python function for the fake."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.engines.base import (
    Container,
    ContainerExit,
    ContainerSpec,
    Engine,
    EngineUnavailable,
    Lane,
)
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.process import ProcessEngine
from windlass_runner.testing import FakeEngine, FakeHost, Program, says

ROOT = Path(__file__).parents[2]
IMAGE = "windlass-test/busybox:1"


@dataclass(kw_only=True)
class Bench:
    """An engine, a run of its own, and how to make another engine that finds the same containers."""

    kind: str
    open_engine: Callable[[], Engine]
    run_id: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")
    lane: Lane = field(default_factory=lambda: Lane(name="lane-1"))
    opened: list[Engine] = field(default_factory=list)

    def another_engine(self) -> Engine:
        """As after a `kill -9` of the daemon."""
        self.opened.append(self.open_engine())
        return self.opened[-1]

    @property
    def engine(self) -> Engine:
        return self.opened[0] if self.opened else self.another_engine()

    @property
    def has_mounts(self) -> bool:
        """Whether paths inside are those of the mounts."""
        return self.kind != "process-plain"

    def spec(
        self, name: str, script: str, *words: str, act: Program | None = None, **fields: Any
    ) -> ContainerSpec:
        """A container that runs `script` with `words` as $1, $2 …; for the fake, `act` does the same."""
        command = ("sh", "-c", script, "sh", *words)
        engine = self.engine
        if isinstance(engine, FakeEngine):
            engine.add_program(act or says(), command=command)
        fields = {"run_id": self.run_id, "lane": self.lane, "image": IMAGE, **fields}
        return ContainerSpec(name=f"{self.run_id}-{name}", entrypoint=(), command=command, **fields)

    def started(self, name: str, script: str, *words: str, **fields: Any) -> Container:
        container = self.engine.create(self.spec(name, script, *words, **fields))
        container.start()
        return container

    def result(self, name: str, script: str, *words: str, **fields: Any) -> tuple[bytes, ContainerExit]:
        container = self.started(name, script, *words, **fields)
        return b"".join(container.logs()), container.wait()


@pytest.fixture(scope="session")
def docker_images() -> None:
    """The engine answers and has the image; a machine without one fails loudly, and never skips."""
    engine = DockerEngine(environment=os.environ)
    try:
        engine.facts()
    except EngineUnavailable as exc:
        pytest.fail(f"{exc}\nThese tests need a Docker engine: run scripts/ensure-docker.", pytrace=False)
    finally:
        engine.close()
    subprocess.run([sys.executable, ROOT / "scripts" / "test-images"], check=True)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), "process", "process-plain", "fake"],
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: str = request.param
    yield from open_bench(kind, request, tmp_path)


@pytest.fixture
def docker_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """For what only Docker promises. Its tests carry the mark `docker`."""
    yield from open_bench("docker", request, tmp_path)


def open_bench(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    host = FakeHost()
    state = tmp_path / "engine"
    if kind == "docker":
        request.getfixturevalue("docker_images")
    openers: dict[str, Callable[[], Engine]] = {
        "docker": lambda: DockerEngine(environment=os.environ),
        "process": lambda: ProcessEngine(state),
        "process-plain": lambda: ProcessEngine(state, isolation="none"),
        "fake": lambda: FakeEngine(host),
    }
    bench = Bench(kind=kind, open_engine=openers[kind])
    if kind == "process" and any("allows no namespaces" in note for note in bench.engine.facts().notes):
        bench.kind = "process-plain"
    yield bench
    bench.engine.destroy(bench.run_id)
    for engine in bench.opened:
        engine.close()
