"""A pushed file is refused with what `windlass validate` says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.store import Store
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.pushes import Source
from windlass_runner.daemon.workflows import find_workflows
from windlass_runner.forges.git import Git
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event

_WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **_WHO}
PATH = ".windlass/workflows/ci.yaml"


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, env=_ENVIRONMENT
    )
    return done.stdout.strip()


def refused(folder: Path, text: str, **more: str) -> list[Problem]:
    """What a push of this workflow is refused with."""
    source = folder / "source"
    for name, content in {PATH: text, **more}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content)
    _git(folder, "init", "-q", "-b", "main", str(source))
    _git(source, "add", "-A")
    _git(source, "commit", "-q", "-m", "x")
    sha = _git(source, "rev-parse", "HEAD")
    git, url = Git(environment=_ENVIRONMENT), f"file://{source}"
    mirror = Mirror(git, folder / "store", url)
    mirror.fetch(ref="refs/heads/main", sha=sha)
    (found,) = find_workflows(git, mirror.path, sha)
    planning = CommitPlanning(
        git=git, packages=Store(folder / "packages"), catalog=Catalog.of_builtin(), options=PlanOptions()
    )
    event = Event(kind="push", repository=url, ref="refs/heads/main", sha=sha)
    with pytest.raises(AuthorError) as caught:
        planning(found, event=event, reason="", source=Source(mirror=mirror, objects=mirror.path))
    return list(caught.value.problems)


def validated(folder: Path) -> list[Problem]:
    """What `windlass validate` says of the same files."""
    command = [sys.executable, "-m", "windlass_runner.cli", "validate", "--json"]
    environment = {**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=folder / "source", capture_output=True, env=environment, check=False)
    return [Problem(**entry) for entry in json.loads(done.stdout)["problems"]]


@pytest.mark.parametrize(
    ("text", "lock", "places"),
    [
        (
            "on: push\njobs:\n  a:\n    uses: script@v1\n    with: {scirpt: x}\n"
            "  b:\n    need: [a]\n    uses: nothing@v1\n",
            "",
            ["4:11", "5:12", "7:5", "8:11"],
        ),
        ("on: push\njobs: [\n", "", ["3:1"]),
        (
            "on: push\njobs:\n  a: {uses: script@v1, with: {scirpt: x}}\n",
            "version: 7\n",
            ["1:1", "1:1", "3:13", "3:31"],
        ),
        ("on: push\njobs:\n  a: {uses: script@v1, with: {script: x}}\n", "[", ["2:1"]),
        (
            "on: push\njobs:\n  a: {uses: script@v1, with: {script: x}}\n"
            "  b: {needs: [a, a], uses: nothing@v1}\n",
            "",
            ["4:18", "4:28"],
        ),
    ],
)
def test_a_push_is_refused_with_what_validate_says(
    tmp_path: Path, text: str, lock: str, places: list[str]
) -> None:
    more = {LOCK_PATH: lock} if lock else {}
    found = refused(tmp_path, text, **more)
    assert found == validated(tmp_path)
    assert [_place(problem) for problem in found] == places


def _place(problem: Problem) -> str:
    return f"{problem.line}:{problem.column}"


def test_what_has_no_engine_yet_is_told_all_at_once_at_its_keys(tmp_path: Path) -> None:
    text = """on: push
defaults:
  resources: {gpu: 1}
jobs:
  a:
    uses: script@v1
    with: {script: x}
    reuse: true
    outputs:
      weights: {type: model, with: {ref: digits}}
  b:
    uses: script@v1
    with: {script: x}
    resources:
      labels: [fast]
      gpu: 0
"""
    found = refused(tmp_path, text)
    assert [_place(problem) for problem in found] == ["3:15", "8:5", "10:7", "15:7"]
    assert all("cannot do yet" in problem.message for problem in found)


def test_an_action_that_is_no_step_is_told_of_where_it_is_used(tmp_path: Path) -> None:
    text = "on: push\njobs:\n  a:\n    steps:\n      - uses: ./tool\n"
    action = "name: tool\ndescription: x\nruns: {using: workflow, jobs: {a: {steps: [{run: x}]}}}\n"
    (found,) = refused(tmp_path, text, **{"tool/action.yml": action})
    assert _place(found) == "5:15"
    assert "is a graph of jobs" in found.message


def test_what_a_job_of_a_graph_lacks_an_engine_for_is_told_at_the_job_that_is_the_graph(
    tmp_path: Path,
) -> None:
    text = "on: push\njobs:\n  a:\n    uses: ./flow\n"
    action = "name: f\nruns: {using: workflow, jobs: {b: {resources: {gpu: 1}, steps: [{run: x}]}}}\n"
    (found,) = refused(tmp_path, text, **{"flow/action.yml": action})
    assert _place(found) == "3:3"
    assert "job 'a/b' asks for a GPU" in found.message
