"""Actions of the kind `using: python`, on each engine."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

WITH_PIP = pytest.mark.parametrize("runner", ["process"], indirect=True)
"""Where `python3` has pip: not in the images of the tests."""


def write(folder: Path, manifest: str, main: str) -> None:
    folder.mkdir()
    (folder / "action.yml").write_text(manifest)
    (folder / "main.py").write_text(main)


def wheel(folder: Path) -> str:
    """A package that nothing else has, as pip installs it."""
    name = "windlass_greeting-1.0-py3-none-any.whl"
    info = "windlass_greeting-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("windlass_greeting.py", "TEXT = 'hello from a wheel'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: windlass-greeting\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return name


@pytest.mark.parametrize(
    "steps", ["[{uses: ./act}]", "[{run: 'true'}, {uses: ./act}]"], ids=["alone", "in turn"]
)
def test_inputs_whose_names_have_hyphens_arrive(runner: Any, steps: str) -> None:
    write(
        runner.root / "act",
        "name: P\ninputs: {access-key: {default: a b}}\n"
        "runs: {using: python, main: main.py, image: 'windlass-test/python:1'}\n",
        "import os, sys; print(os.environ['INPUT_ACCESS-KEY'], len(sys.argv))",
    )
    done = runner.run(f"jobs: {{job: {{steps: {steps}}}}}")
    assert done.state == "success"
    assert done.log("job") == "a b 1"


@pytest.mark.docker
def test_an_image_without_python_is_told_with_what_helps(docker_runner: Any) -> None:
    write(docker_runner.root / "act", "name: P\nruns: {using: python, main: main.py}", "")
    done = docker_runner.run("jobs: {job: {uses: ./act}}")
    assert done.state == "failure"
    assert "action './act' needs the program 'python3': name an image that has it" in done.log("job")


@WITH_PIP
def test_requirements_are_installed_once_for_a_job_before_the_program_begins(runner: Any) -> None:
    write(
        runner.root / "act",
        "name: P\ninputs: {access-key: {default: key}}\n"
        "runs: {using: python, main: main.py, requirements: requirements.txt}\n",
        "import os, windlass_greeting; print(windlass_greeting.TEXT, os.environ['INPUT_ACCESS-KEY'])",
    )
    name = wheel(runner.root / "act")
    (runner.root / "act" / "requirements.txt").write_text(f"${{GITHUB_ACTION_PATH}}/{name}\n")
    done = runner.run("""
jobs:
  job: {steps: [{uses: ./act}, {uses: ./act}]}
""")
    assert done.state == "success", done.log("job")
    assert done.log("job").splitlines()[-2:] == ["hello from a wheel key"] * 2


@WITH_PIP
def test_requirements_that_cannot_be_had_fail_the_job(runner: Any) -> None:
    write(
        runner.root / "act",
        "name: P\nruns: {using: python, main: main.py, requirements: ./requirements.txt}\n",
        "print('never')",
    )
    (runner.root / "act" / "requirements.txt").write_text("/nowhere/at-all.whl\n")
    done = runner.run("jobs: {job: {uses: ./act}}")
    assert done.state == "failure"
    assert "requirements.txt of the action could not be installed: pip ended with" in done.log("job")
    assert "never" not in done.log("job")
