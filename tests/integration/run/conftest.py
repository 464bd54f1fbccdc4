"""Runs carried out for real: a ledger on disk, an engine, the conductor, one workflow text."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from forwarded_docker import ForwardedDocker
from windlass_registry.catalog import Catalog
from windlass_registry.store import Store
from windlass_runner.engines.base import Engine
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.process import ProcessEngine
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobRecord
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.steps import NODE_IMAGES
from windlass_runner.run.conductor import Conductor
from windlass_runner.run.environments import EnvironmentRules
from windlass_runner.run.host import Host
from windlass_runner.run.log_file import read_log
from windlass_runner.run.prepare import new_run, plan_run
from windlass_runner.run.storage import Storage
from windlass_runner.testing import FakeEngine
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

IMAGE = "windlass-test/busybox:1"


@dataclass(kw_only=True)
class Runner:
    """One conductor and what it works with."""

    root: Path
    engine: Engine
    owner: str
    secrets: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    environments: dict[str, EnvironmentRules] = field(default_factory=dict)
    parallelism: int = 4
    node_image: str = "windlass-test/node:1"

    def __post_init__(self) -> None:
        self.storage = Storage(self.root / "storage")
        self.ledger = Ledger.open(self.storage.ledger)
        self.packages = Store(self.storage.packages)
        self.conductor = self._conductor()
        self.elsewhere: list[subprocess.Popen[bytes]] = []

    def _conductor(self) -> Conductor:
        return Conductor(
            Host(
                ledger=self.ledger,
                engine=self.engine,
                storage=self.storage,
                action_folder=self.packages.path,
                fill_workspace=self._fill,
                secret=self.secrets.get,
                clock=time.time,
                parallelism=self.parallelism,
                environments=lambda _repository, name: self.environments.get(name),
                is_reported=False,
            )
        )

    def _fill(self, _run: object, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).write_text(text)

    def begin(self, text: str, *, inputs: Mapping[str, Any] | None = None, **event: Any) -> str:
        run_id = self.create(text, inputs=inputs, **event)
        self.conductor.begin(run_id)
        return run_id

    def create(self, text: str, *, inputs: Mapping[str, Any] | None = None, **event: Any) -> str:
        parsed = parse_workflow(text, path="w.yaml")
        happened = Event(
            **{
                "kind": "push",
                "repository": "file:///srv/git/x.git",
                "ref": "refs/heads/main",
                "sha": "1" * 40,
                "inputs": inputs or {},
                **event,
            }
        )
        plan = plan_run(
            parsed,
            event=happened,
            reason="a test",
            root=self.root,
            pins=None,
            catalog=Catalog.of_builtin(),
            options=PlanOptions(default_image=IMAGE, node_images=dict.fromkeys(NODE_IMAGES, self.node_image)),
            packages=self.packages,
        )
        run_id = self.ledger.runs.create(new_run(plan, repository=happened.repository), at=time.time())
        assert run_id is not None
        return run_id

    def run(self, text: str, **more: Any) -> Finished:
        return self.finished(self.begin(text, **more))

    def finished(self, run_id: str) -> Finished:
        state = self.conductor.wait(run_id, timeout_s=120)
        assert state is not None, "the run did not end"
        return Finished(
            id=run_id,
            state=state,
            jobs={job.key: job for job in self.ledger.runs.jobs(run_id)},
            runner=self,
        )

    def until(self, claim: Callable[[], bool], *, timeout_s: float = 30) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + timeout_s
        pause = threading.Event()
        while not claim():
            assert time.monotonic() < deadline, "it did not come to hold"
            pause.wait(0.02)

    def log(self, run_id: str, key: str, attempt: int = 1) -> str:
        path = self.storage.log(run_id, key, attempt)
        return "\n".join(line.text for line in read_log(path, 0)[0]) if path.exists() else ""

    def begin_elsewhere(self, run_id: str, *die_after: str) -> subprocess.Popen[bytes]:
        """Carry a run out in a process of its own, to be killed; or which kills itself behind that method of
        an attempt."""
        words = [str(self.root), "docker" if isinstance(self.engine, DockerEngine) else "process", self.owner]
        script = Path(__file__).with_name("carry_out.py")
        process = subprocess.Popen([sys.executable, str(script), *words, run_id, *die_after])
        self.elsewhere.append(process)
        return process

    def close(self) -> None:
        for process in self.elsewhere:
            process.kill()
            process.wait()
        for run in self.ledger.runs.unfinished():
            self.conductor.cancel(run.id, reason="the test is over", force=True)
            self.conductor.wait(run.id, timeout_s=30)
        self.conductor.close()
        self.ledger.close()
        self.engine.close()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that has ended."""

    id: str
    state: str
    jobs: Mapping[str, JobRecord]
    runner: Runner

    def states(self) -> dict[str, str]:
        return {key: job.state for key, job in self.jobs.items()}

    def log(self, key: str, attempt: int = 1) -> str:
        return self.runner.log(self.id, key, attempt)


def make_engine(kind: str, folder: Path, owner: str) -> Engine:
    return DockerEngine(owner=owner) if kind == "docker" else ProcessEngine(folder / "engine")


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def cramped(request: pytest.FixtureRequest, small_disk: Path) -> Iterator[Runner]:
    """A runner all of whose storage lies on a small disk."""
    owner = f"test-{uuid.uuid4().hex[:8]}"
    found = Runner(root=small_disk, engine=make_engine(request.param, small_disk, owner), owner=owner)
    yield found
    found.close()


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runner]:
    owner = f"test-{uuid.uuid4().hex[:8]}"
    found = Runner(root=tmp_path, engine=make_engine(request.param, tmp_path, owner), owner=owner)
    yield found
    found.close()
    left = make_engine(request.param, tmp_path, owner)
    assert left.present_runs() == frozenset()
    left.close()


@pytest.fixture
def docker_runner(tmp_path: Path) -> Iterator[Runner]:
    owner = f"test-{uuid.uuid4().hex[:8]}"
    found = Runner(root=tmp_path, engine=make_engine("docker", tmp_path, owner), owner=owner)
    yield found
    found.close()
    left = make_engine("docker", tmp_path, owner)
    assert left.present_runs() == frozenset()
    left.close()


@pytest.fixture
def fake_runner(tmp_path: Path) -> Iterator[Runner]:
    found = Runner(root=tmp_path, engine=FakeEngine(), owner="test")
    yield found
    found.close()


@pytest.fixture
def forwarded(tmp_path: Path) -> Iterator[tuple[Runner, ForwardedDocker]]:
    """A runner, and its engine's connection, which can be cut."""
    docker = ForwardedDocker(tmp_path / "docker.sock")
    owner = f"test-{uuid.uuid4().hex[:8]}"
    engine = DockerEngine(environment={"DOCKER_HOST": docker.address}, owner=owner)
    found = Runner(root=tmp_path, engine=engine, owner=owner)
    yield found, docker
    found.close()
    docker.vanish()
    left = make_engine("docker", tmp_path, owner)
    assert left.present_runs() == frozenset()
    left.close()
