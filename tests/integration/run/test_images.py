"""Which image ran, and what is said while one is pulled."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from image_registry import ImageRegistry
from windlass_runner.engines.base import PullProgress
from windlass_runner.run.images import PullReport

IMAGE = "windlass-test/busybox:1"


def docker(*words: str) -> str:
    return subprocess.check_output(["docker", *words], text=True).strip()


@pytest.fixture
def registry() -> Iterator[ImageRegistry]:
    shell = subprocess.check_output(["docker", "run", "--rm", IMAGE, "cat", "/bin/busybox"])
    unique = ("unique", uuid.uuid4().bytes)  # so that the engine has no layer of it
    with ImageRegistry(("bin/sh", shell), unique) as found:
        yield found


def images(runner: Any, run_id: str) -> list[Any]:
    return [attempt.detail["images"] for attempt in runner.ledger.runs.attempts(run_id)]


@pytest.mark.docker
def test_each_attempt_says_which_images_it_ran(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a:
    retry: 1
    steps:
      - run: echo one
      - {run: exit 1, image: 'windlass-test/python:1', shell: sh}
""")
    used = {
        name: docker("image", "inspect", name, "--format", "{{.Id}}")
        for name in (IMAGE, "windlass-test/python:1")
    }
    assert images(docker_runner, done.id) == [used, used]


def test_where_no_image_runs_none_is_told(runner: Any) -> None:
    done = runner.run("jobs: {a: {steps: [{run: echo one}]}}")
    is_docker = runner.engine.name == "docker"
    assert [bool(found) for found in images(runner, done.id)] == [is_docker]


@pytest.mark.docker
def test_a_tag_that_moves_while_a_run_goes_on_does_not_change_what_its_jobs_run(docker_runner: Any) -> None:
    tag = f"windlass-test/moves-{uuid.uuid4().hex[:8]}:1"
    docker("tag", IMAGE, tag)
    try:
        run_id = docker_runner.begin(f"""
defaults: {{image: '{tag}'}}
jobs:
  a: {{steps: [{{run: 'echo ready; while [ ! -e "$WINDLASS_CHECKPOINT_DIR/go" ]; do sleep 0.05; done'}}]}}
  b: {{needs: a, steps: [{{run: echo b}}]}}
""")
        docker_runner.until(lambda: "ready" in docker_runner.log(run_id, "a"))
        docker("tag", "windlass-test/python:1", tag)
        (docker_runner.storage.scratch(run_id) / "a" / "checkpoint" / "go").touch()
        assert docker_runner.finished(run_id).state == "success"
        first = docker("image", "inspect", IMAGE, "--format", "{{.Id}}")
        assert images(docker_runner, run_id) == [{tag: first}] * 2
    finally:
        docker("rmi", tag)


@pytest.mark.docker
def test_a_pull_is_spoken_of_and_its_digest_is_kept(docker_runner: Any, registry: ImageRegistry) -> None:
    run_id = docker_runner.begin(f"""
jobs:
  a: {{uses: container@v1, with: {{image: '{registry.image}', command: [/bin/sh, -c, 'echo runs']}}}}
""")

    def reason() -> str:
        (job,) = docker_runner.ledger.runs.jobs(run_id)
        return str(job.reason)

    docker_runner.until(lambda: reason() == f"pulling image {registry.image}")
    registry.open.set()
    done = docker_runner.finished(run_id)
    assert (done.states(), reason()) == ({"a": "success"}, "")
    said = done.log("a").splitlines()
    assert said[0] == f"pulling image {registry.image}"
    assert said[-2].startswith(f"pulled image {registry.image} in ")
    assert said[-1] == "runs"
    assert images(docker_runner, run_id) == [{registry.image: registry.digest}]


@pytest.mark.docker
def test_a_cancel_does_not_wait_for_a_pull(docker_runner: Any, registry: ImageRegistry) -> None:
    run_id = docker_runner.begin(f"""
jobs:
  a: {{uses: container@v1, with: {{image: '{registry.image}', command: [/bin/sh, -c, 'echo runs']}}}}
  b: {{uses: container@v1, with: {{image: '{registry.image}', command: [/bin/sh, -c, 'echo runs']}}}}
""")
    docker_runner.until(lambda: all("pulling" in docker_runner.log(run_id, key) for key in "ab"))
    registry.asked_for_layer.wait(30)
    docker_runner.conductor.cancel(run_id, reason="enough")
    done = docker_runner.finished(run_id)
    assert done.states() == {"a": "cancelled", "b": "cancelled"}
    assert not registry.open.is_set()


def test_a_pull_is_spoken_of_at_its_begin_every_ten_seconds_and_at_its_end() -> None:
    times = iter([100.0, 101.0, 109.0, 110.5, 112.0, 121.0, 130.0])
    said: list[str] = []
    report = PullReport("x:1", said.append, clock=lambda: next(times))
    for done in range(6):
        report.hear(PullProgress(done_bytes=done * 1_000_000_000, total_bytes=5_000_000_000))

    assert said == [
        "pulling image x:1",
        "pulling image x:1: 3,000 of 5,000 MB so far",
        "pulling image x:1: 5,000 of 5,000 MB so far",
    ]
    assert report.end() == "pulled image x:1 in 30 s"


def test_an_image_that_is_here_is_not_spoken_of() -> None:
    said: list[str] = []

    assert PullReport("x:1", said.append).end() is None
    assert said == []


@pytest.mark.docker
def test_a_digest_counts_and_not_the_tag_beside_it(docker_runner: Any, registry: ImageRegistry) -> None:
    registry.open.set()
    image = f"{registry.image}@{registry.digest.partition('@')[2]}"
    done = docker_runner.run(f"""
jobs:
  a: {{uses: container@v1, with: {{image: '{image}', command: [/bin/sh, -c, 'echo runs']}}}}
""")
    assert done.states() == {"a": "success"}
    assert images(docker_runner, done.id) == [{image: registry.digest}]
