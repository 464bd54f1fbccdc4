"""Sandboxes made ahead: claimed once, found again after a crash, never shared, never left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from windlass_runner.engines.base import ContainerExit, ContainerSpec, EngineUnavailable, Lane
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.docker_names import sandbox_name

ROOT = Path(__file__).parents[3]
IMAGE = "windlass-test/busybox:1"
FIRST, SECOND = Lane(name="lane-0"), Lane(name="lane-1")

pytestmark = pytest.mark.docker


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def eventually(holds: object, *, within_s: float = 30) -> None:
    """Wait until `holds()`; engines make their spares behind."""
    assert callable(holds)
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def owner() -> Iterator[str]:
    """A name for this test alone; at its end nothing of that owner may be left."""
    probe = DockerEngine(environment=os.environ)
    try:
        probe.facts()
    except EngineUnavailable as exc:
        pytest.fail(f"{exc}\nThese tests need a Docker engine: run scripts/ensure-docker.", pytrace=False)
    finally:
        probe.close()
    subprocess.run([ROOT / "scripts" / "test-images"], check=True)
    owner = f"spares-{uuid.uuid4().hex[:10]}"
    yield owner
    left = listed(owner)
    for name in left["containers"]:
        docker("rm", "-f", name)
    for name in left["networks"]:
        docker("network", "rm", name)
    assert left == {"containers": [], "networks": []}


def listed(owner: str) -> dict[str, list[str]]:
    mine = f"label=windlass.owner={owner}"
    containers = docker("ps", "-a", "--filter", mine, "--format", "{{.Names}}").split()
    networks = docker("network", "ls", "--filter", mine, "--format", "{{.Name}}").split()
    return {"containers": sorted(containers), "networks": sorted(networks)}


def spares(owner: str) -> list[str]:
    """Those that are ready: running, and claimed by nobody."""
    ready = docker(
        "ps", "--filter", f"label=windlass.owner={owner}", "--filter", "label=windlass.spare", "--format",
        "{{.Names}} {{.State}}",
    )  # fmt: skip
    names = [line.split()[0] for line in ready.splitlines() if line.endswith("running")]
    return sorted(name for name in names if "." not in name)


def network_of(container: str) -> str:
    return str(json.loads(docker("inspect", container))[0]["HostConfig"]["NetworkMode"])


@contextmanager
def opened(owner: str, *, spare_lanes: int) -> Iterator[DockerEngine]:
    """An engine that has made all its spares."""
    engine = DockerEngine(environment=os.environ, owner=owner, spare_lanes=spare_lanes)
    try:
        eventually(lambda: len(spares(owner)) == spare_lanes)
        yield engine
    finally:
        engine.close()


def new_run() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


def exits_with(run_id: str, code: int, lane: Lane = FIRST) -> ContainerSpec:
    return ContainerSpec(
        name=f"{run_id}-job-{lane.name}", run_id=run_id, lane=lane, image=IMAGE, entrypoint=(),
        command=("sh", "-c", f"exit {code}"),
    )  # fmt: skip


def run(engine: DockerEngine, spec: ContainerSpec) -> ContainerExit:
    container = engine.create(spec)
    container.start()
    return container.wait()


def test_a_run_claims_a_spare_and_all_its_lanes_join_its_network(owner: str) -> None:
    with opened(owner, spare_lanes=1) as engine:
        [spare] = spares(owner)
        run_id = new_run()
        ends = [run(engine, exits_with(run_id, 3, lane)) for lane in (FIRST, SECOND)]

        assert [end.code for end in ends] == [3, 3]
        assert network_of(sandbox_name(run_id, FIRST)) == spare
        assert network_of(sandbox_name(run_id, SECOND)) == spare
        assert engine.present_runs() == {run_id}
        engine.destroy(run_id)
        assert engine.present_runs() == frozenset()
        assert spare not in listed(owner)["networks"]


def test_two_runs_at_once_claim_different_spares(owner: str) -> None:
    with opened(owner, spare_lanes=2) as engine:
        runs = [new_run(), new_run(), new_run()]
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda run_id: engine.open_lane(run_id, FIRST), runs))
        networks = {network_of(sandbox_name(run_id, FIRST)) for run_id in runs}

        assert len(networks) == 3
        assert engine.present_runs() == set(runs)
        for run_id in runs:
            engine.destroy(run_id)


def test_lanes_opened_at_once_claim_one_spare_for_their_run(owner: str) -> None:
    with opened(owner, spare_lanes=2) as engine:
        run_id = new_run()
        lanes = [Lane(name=f"lane-{number}") for number in range(4)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda lane: engine.open_lane(run_id, lane), lanes))

        assert len({network_of(sandbox_name(run_id, lane)) for lane in lanes}) == 1
        engine.destroy(run_id)


def test_a_claimed_spare_is_replaced(owner: str) -> None:
    with opened(owner, spare_lanes=1) as engine:
        before = spares(owner)
        run_id = new_run()
        engine.open_lane(run_id, FIRST)
        assert spares(owner) == []
        eventually(lambda: len(spares(owner)) == 1)

        assert spares(owner) != before
        engine.destroy(run_id)


def test_a_lane_is_taken_up_again_by_whoever_comes_next(owner: str) -> None:
    with opened(owner, spare_lanes=1) as engine:
        run_id = new_run()
        engine.open_lane(run_id, FIRST)
        claimed = network_of(sandbox_name(run_id, FIRST))
        another = DockerEngine(environment=os.environ, owner=owner)
        codes = [
            run(another, exits_with(run_id, code, lane)).code for code, lane in enumerate((SECOND, FIRST))
        ]

        assert codes == [0, 1]
        assert network_of(sandbox_name(run_id, SECOND)) == claimed
        assert another.present_runs() == {run_id}
        another.close_lane(run_id, SECOND)
        another.close_lane(run_id, FIRST)
        another.destroy(run_id)
        another.close()


def test_closing_every_lane_leaves_nothing_of_the_run(owner: str) -> None:
    with opened(owner, spare_lanes=1) as engine:
        run_id = new_run()
        engine.open_lane(run_id, FIRST)
        engine.open_lane(run_id, SECOND)
        claimed = network_of(sandbox_name(run_id, FIRST))
        engine.close_lane(run_id, SECOND)
        engine.close_lane(run_id, FIRST)

        assert engine.present_runs() == frozenset()
        assert claimed not in listed(owner)["networks"]


def test_a_spare_that_somebody_removed_or_stopped_harms_nobody(owner: str) -> None:
    with opened(owner, spare_lanes=2) as engine:
        removed, stopped = spares(owner)
        docker("rm", "-f", removed)
        docker("kill", stopped)
        runs = [new_run(), new_run()]

        assert [run(engine, exits_with(run_id, 5)).code for run_id in runs] == [5, 5]
        for run_id in runs:
            engine.destroy(run_id)
    docker("network", "rm", removed)


def test_a_run_whose_name_says_too_little_claims_nothing(owner: str) -> None:
    with opened(owner, spare_lanes=1) as engine:
        run_id = f"{new_run()}.1"

        assert run(engine, exits_with(run_id, 0)).code == 0
        assert len(spares(owner)) == 1
        engine.destroy(run_id)


def test_two_owners_have_spares_of_their_own(owner: str) -> None:
    with opened(owner, spare_lanes=1):
        mine = spares(owner)
        with opened(f"{owner}-other", spare_lanes=1):
            assert spares(owner) == mine
        assert listed(f"{owner}-other") == {"containers": [], "networks": []}


KILLED = """
import os, signal, sys, time
from windlass_runner.engines.base import Lane
from windlass_runner.engines.docker import DockerEngine
owner, run_id = sys.argv[1:]
engine = DockerEngine(environment=os.environ, owner=owner, spare_lanes=1)
while engine._spares._lacks_one():
    time.sleep(0.02)
if run_id:
    engine.open_lane(run_id, Lane(name="lane-0"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def life_that_is_killed(owner: str, run_id: str) -> None:
    """A process that has one spare, claims it for the run (if there is one), and is killed."""
    ended = subprocess.run([sys.executable, "-c", KILLED, owner, run_id], check=False)
    assert ended.returncode == -signal.SIGKILL


def test_what_a_killed_process_had_claimed_is_the_runs(owner: str) -> None:
    run_id = new_run()
    life_that_is_killed(owner, run_id)
    claimed = network_of(sandbox_name(run_id, FIRST))
    with opened(owner, spare_lanes=1) as engine:
        assert engine.present_runs() == {run_id}
        assert spares(owner) != [claimed]
        assert run(engine, exits_with(run_id, 4)).code == 4
        assert run(engine, exits_with(run_id, 6, SECOND)).code == 6
        assert network_of(sandbox_name(run_id, SECOND)) == claimed
        engine.destroy(run_id)


def test_what_a_killed_process_had_not_claimed_is_used_by_the_next(owner: str) -> None:
    life_that_is_killed(owner, "")
    left = spares(owner)
    with opened(owner, spare_lanes=1) as engine:
        run_id = new_run()
        eventually(lambda: not engine._spares or not engine._spares._lacks_one())
        engine.open_lane(run_id, FIRST)

        assert [network_of(sandbox_name(run_id, FIRST))] == left
        engine.destroy(run_id)


def test_too_many_and_broken_leftovers_are_removed(owner: str) -> None:
    life_that_is_killed(owner, "")
    docker("kill", *spares(owner))
    docker("network", "create", "--label", f"windlass.owner={owner}", f"windlass-spare-{new_run()}")
    with opened(owner, spare_lanes=1):
        eventually(lambda: len(listed(owner)["networks"]) == 1)
        assert listed(owner)["containers"] == spares(owner)
