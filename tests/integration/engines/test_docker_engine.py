"""What the Docker engine does when others have been at its containers, on a real engine."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from integration.engines.docker_doorway import Doorway
from windlass_runner.engines.base import ContainerExit, ContainerSpec, EngineUnavailable, Lane
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.engines.docker_names import network_name, sandbox_name
from windlass_runner.engines.docker_transport import DEFAULT_SOCKET

ROOT = Path(__file__).parents[3]
IMAGE = "windlass-test/busybox:1"
LANE = Lane(name="lane-1")

pytestmark = pytest.mark.docker


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = DockerEngine(environment=os.environ, owner="windlass-tests")
    try:
        engine.facts()
    except EngineUnavailable as exc:
        pytest.fail(f"{exc}\nThese tests need a Docker engine: run scripts/ensure-docker.", pytrace=False)
    subprocess.run([ROOT / "scripts" / "test-images"], check=True)
    yield engine
    engine.close()


@pytest.fixture
def run_id(engine: DockerEngine) -> Iterator[str]:
    run_id = f"t{uuid.uuid4().hex[:10]}"
    yield run_id
    engine.destroy(run_id)


def says_hello(run_id: str, name: str = "job") -> ContainerSpec:
    return ContainerSpec(
        name=f"{run_id}-{name}",
        run_id=run_id,
        lane=LANE,
        image=IMAGE,
        entrypoint=(),
        command=("echo", "hello"),
    )


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def test_a_stopped_sandbox_is_woken(engine: DockerEngine, run_id: str) -> None:
    container = engine.create(says_hello(run_id))
    docker("kill", sandbox_name(run_id, LANE))
    container.start()

    assert b"".join(container.logs()) == b"hello\n"
    assert container.wait() == ContainerExit(code=0)


def test_a_sandbox_that_somebody_removed_is_made_again(engine: DockerEngine, run_id: str) -> None:
    engine.open_lane(run_id, LANE)
    docker("rm", "-f", sandbox_name(run_id, LANE))
    container = engine.create(says_hello(run_id))
    container.start()

    assert container.wait() == ContainerExit(code=0)


def test_a_network_and_sandbox_of_an_earlier_life_are_taken_over(engine: DockerEngine, run_id: str) -> None:
    engine.open_lane(run_id, LANE)
    docker("kill", sandbox_name(run_id, LANE))
    another = DockerEngine(environment=os.environ, owner="windlass-tests")
    another.open_lane(run_id, LANE)
    container = another.create(says_hello(run_id))
    container.start()
    end = container.wait()
    another.close()

    assert end == ContainerExit(code=0)
    assert docker("network", "ls", "-q", "--filter", f"name={network_name(run_id, LANE)}").count("\n") == 1


def test_only_runs_of_the_same_owner_are_present(engine: DockerEngine, run_id: str) -> None:
    engine.open_lane(run_id, LANE)
    stranger = DockerEngine(environment=os.environ, owner="somebody-else")
    anybody = DockerEngine(environment=os.environ)
    try:
        assert run_id in engine.present_runs()
        assert run_id in anybody.present_runs()
        assert run_id not in stranger.present_runs()
    finally:
        stranger.close()
        anybody.close()


def test_the_end_of_a_log_is_never_lost(engine: DockerEngine, run_id: str) -> None:
    """The engine's own follow loses it now and then: so many times, and long logs too."""
    script = 'i=0; while [ $i -lt "$0" ]; do echo out; echo err >&2; i=$((i+1)); done; printf end'

    def job(number: int) -> bool:
        lines = 600 if number % 4 == 0 else 1
        spec = replace(
            says_hello(run_id, f"job-{number}"),
            command=("sh", "-c", script, str(lines)),
            lane=Lane(name=f"lane-{number % 4}"),
        )
        container = engine.create(spec)
        container.start()
        output = b"".join(container.logs())
        return len(output) == 8 * lines + 3 and output.endswith(b"end")

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(job, range(40)))


OUTPUTS = {
    "nothing": ("true", b""),
    "an open line": ("printf open", b"open"),
    "stderr": ("printf 'one\\ntwo' >&2", b"one\ntwo"),
    "five megabytes": ("head -c 5000000 /dev/zero | tr '\\0' z; echo", b"z" * 5_000_000 + b"\n"),
    "no text": (
        "printf 'a\\377\\342\\230\\n\\360\\237'",
        b"a" + 3 * b"\xef\xbf\xbd" + b"\n" + 2 * b"\xef\xbf\xbd",
    ),
    "long lines of characters": (
        "printf b; yes \u00e4 | head -n 20000 | tr -d '\\n'; echo; yes \u00e4 | head -n 9000 | tr -d '\\n'",
        None,
    ),
    "a program": ("head -c 300000 /bin/busybox", None),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_a_stream_and_the_log_hold_the_same_bytes(engine: DockerEngine, run_id: str, case: str) -> None:
    script, expected = OUTPUTS[case]
    container = engine.create(replace(says_hello(run_id), command=("sh", "-c", script)))
    container.start()
    streamed = b"".join(container.logs())
    container.wait()

    assert streamed == b"".join(container.logs())
    assert expected in (None, streamed)


def test_a_log_is_taken_up_in_the_middle_of_output(engine: DockerEngine, run_id: str) -> None:
    """After a crash the same bytes come again: each prefix that was read is one of the whole."""
    script = (
        "i=0; while [ $i -lt 3000 ]; do printf '☃%d\\377 ' $i; [ $((i % 7)) = 0 ] && echo; i=$((i+1)); done"
    )
    container = engine.create(replace(says_hello(run_id), command=("sh", "-c", script)))
    container.start()
    before = b""
    for chunk in container.logs():
        before += chunk
        if len(before) > 2_000:
            break
    found = engine.find(container.name)
    assert found is not None
    whole = b"".join(found.logs())

    assert whole.startswith(before)
    assert whole.count("☃".encode()) == 3000
    assert whole == b"".join(container.logs())


TWO_STREAMS = "i=0; while [ $i -lt 900 ]; do echo out-$i; echo err-$i >&2; i=$((i+1)); done; echo end"


def test_a_log_of_both_streams_is_taken_up_in_the_middle(engine: DockerEngine, run_id: str) -> None:
    """From when both have been seen, the order is the log's, the same for everybody."""
    script = f"echo first; sleep 0.3; echo second >&2; sleep 0.3; {TWO_STREAMS}"
    container = engine.create(replace(says_hello(run_id), command=("sh", "-c", script)))
    container.start()
    before = b""
    for chunk in container.logs():
        before += chunk
        if len(before) > 4_000:
            break
    whole = b"".join(container.logs())

    assert whole.startswith(before)
    assert len(whole.splitlines()) == 1803


def test_two_streams_that_begin_at_once_come_whole_and_once(engine: DockerEngine, run_id: str) -> None:
    container = engine.create(replace(says_hello(run_id), command=("sh", "-c", TWO_STREAMS)))
    container.start()
    lines = b"".join(container.logs()).decode().splitlines()

    assert [line for line in lines if line.startswith("out")] == [f"out-{number}" for number in range(900)]
    assert [line for line in lines if line.startswith("err")] == [f"err-{number}" for number in range(900)]
    assert lines.count("end") == 1


def test_output_that_nobody_reads_holds_no_container_back(engine: DockerEngine, run_id: str) -> None:
    spec = replace(says_hello(run_id), command=("sh", "-c", "head -c 9000000 /dev/zero; exit 4"))
    waited = engine.create(spec)
    waited.start()
    assert waited.wait().code == 4

    private = Lane(name="private", is_private=True)
    service = engine.create(replace(spec, name=f"{run_id}-service", lane=private, service_alias="service"))
    service.start()
    while service.state() != "ended":
        pass
    assert service.wait().code == 4


def test_an_engine_at_another_address_streams_too(engine: DockerEngine, run_id: str) -> None:
    doorway = Doorway(DEFAULT_SOCKET)
    distant = DockerEngine(environment={"DOCKER_HOST": doorway.address}, owner="windlass-tests")
    try:
        script = "head -c 2000000 /dev/zero | tr '\\0' z; printf end"
        container = distant.create(replace(says_hello(run_id), command=("sh", "-c", script)))
        container.start()
        streamed = b"".join(container.logs())

        assert streamed == b"z" * 2_000_000 + b"end"
        assert container.wait().code == 0
        assert streamed == b"".join(container.logs())
    finally:
        distant.close()
        doorway.cut()


def test_a_stream_that_breaks_off_is_not_taken_for_the_end(engine: DockerEngine, run_id: str) -> None:
    doorway = Doorway(DEFAULT_SOCKET)
    distant = DockerEngine(environment={"DOCKER_HOST": doorway.address}, owner="windlass-tests")
    container = distant.create(replace(says_hello(run_id), command=("sh", "-c", "echo up; sleep 600")))
    container.start()
    output = container.logs()
    assert next(output) == b"up\n"
    doorway.cut()
    with pytest.raises(EngineUnavailable):
        next(output)
    distant.close()

    found = engine.find(container.name)
    assert found is not None
    assert found.state() == "running"


def test_an_empty_command_keeps_the_images_entrypoint_alone(engine: DockerEngine, run_id: str) -> None:
    image = f"windlass-test/entrypoint-{run_id}:1"
    container = docker("create", "--entrypoint", "echo", IMAGE, "unused").strip()
    docker(
        "commit",
        "--change",
        'ENTRYPOINT ["echo", "from-entrypoint"]',
        "--change",
        'CMD ["cmd"]',
        container,
        image,
    )
    docker("rm", container)
    try:
        outputs = []
        for number, command in enumerate((None, (), ("given",))):
            spec = replace(says_hello(run_id, str(number)), image=image, entrypoint=None, command=command)
            made = engine.create(spec)
            made.start()
            outputs.append(b"".join(made.logs()))
        assert outputs == [b"from-entrypoint cmd\n", b"from-entrypoint\n", b"from-entrypoint given\n"]
    finally:
        engine.destroy(run_id)
        docker("rmi", "-f", image)
