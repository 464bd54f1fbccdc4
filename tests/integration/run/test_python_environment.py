"""python@v1 with requirements, in real containers of an image that has uv."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.actions.test_python import wheel

pytestmark = pytest.mark.docker

IMAGE = "windlass-test/python-uv:1"
DOCKERFILE = """
FROM windlass-test/python:1
COPY uv /usr/local/bin/uv
COPY wheels/simple/windlass-sample /wheels
ENV UV_OFFLINE=1 UV_FIND_LINKS=/wheels
"""
WORKFLOW = """
jobs:
  train:
    uses: python@v1
    with:
      image: windlass-test/python-uv:1
      requirements: windlass-sample==1.0
      script: |
        import windlass_sample, pathlib
        print(windlass_sample.WORD)
        try:
            pathlib.Path(windlass_sample.__file__).unlink()
            print("removed")
        except OSError as error:
            print(error.strerror)
"""
HARMLESS = WORKFLOW.partition("        try:")[0]


@pytest.fixture(scope="module", autouse=True)
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The test image with uv and a package for it."""
    folder = tmp_path_factory.mktemp("image")
    wheel(folder / "wheels", "windlass_sample")
    shutil.copy(Path(sys.executable).with_name("uv"), folder / "uv")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", IMAGE, str(folder)], check=True, capture_output=True
    )
    yield
    subprocess.run(["docker", "rmi", "--force", IMAGE], check=True, capture_output=True)


def kept(runner: Any) -> list[Path]:
    return sorted((runner.storage.root / "caches").glob("*/*"))


def test_an_environment_is_made_once_and_cannot_be_changed(docker_runner: Any) -> None:
    first = docker_runner.run(HARMLESS)
    assert first.state == "success", first.log("train")
    assert "made the environment" in first.log("train")
    assert len(kept(docker_runner)) == 1
    lines = docker_runner.run(WORKFLOW).log("train").splitlines()
    assert "is there from an earlier run" in lines[0]
    assert lines[1:] == ["from the wheel 1.0", "Read-only file system"]


def test_an_environment_that_the_first_job_changed_is_not_kept(docker_runner: Any) -> None:
    done = docker_runner.run(WORKFLOW)
    assert "removed" in done.log("train")
    assert "which is therefore not kept" in done.log("train")
    assert kept(docker_runner) == []


def test_two_jobs_at_once_make_one_environment(docker_runner: Any) -> None:
    runs = [docker_runner.begin(HARMLESS) for _ in range(2)]
    assert [docker_runner.finished(run).state for run in runs] == ["success", "success"]
    assert len(kept(docker_runner)) == 1
    assert "is there from an earlier run" in docker_runner.run(HARMLESS).log("train")
