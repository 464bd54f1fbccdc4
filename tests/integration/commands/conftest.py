"""The command line as people call it: a real process in a real repository."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from windlass_runner.cli import main

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "windlass_runner.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A git repository and the ways to call us in it."""

    root: Path
    environment: Mapping[str, str]

    def windlass(self, *words: str, folder: Path | None = None, **environment: str) -> Answer:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=folder or self.root,
            env={**self.environment, **environment},
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def git(self, *words: str) -> str:
        call = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *words]
        done = subprocess.run(call, cwd=self.root, env=self.environment, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def workflow(self, text: str, *, name: str = "w") -> Path:
        return self.write(f".windlass/workflows/{name}.yaml", text)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "work", "--allow-empty")
        return self.git("rev-parse", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call came to."""

    code: int
    out: str
    err: str


class Here(Project):
    """Calls us in this process: what a command does is meant here, and not how long Python takes to start."""

    __slots__ = ()

    def windlass(self, *words: str, folder: Path | None = None, **environment: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder or self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.dict(os.environ, {**self.environment, **environment}, clear=True),
        ):
            code = main(words)
        return Answer(code=code, out=out.getvalue(), err=err.getvalue())


def environment_for(home: Path) -> dict[str, str]:
    """Nothing of the machine's own settings, but for the path and the engine."""
    kept = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
    source = os.pathsep.join(str(ROOT / name) for name in ("runner", "registry", "actions"))
    return {
        **kept,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": source,
        "LC_ALL": "C.UTF-8",
        "USER": "ann",
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "home").mkdir()
    found = Project(root=root, environment=environment_for(tmp_path / "home"))
    found.git("init", "-q", "-b", "main")
    return found


@pytest.fixture
def here(project: Project) -> Here:
    """The same repository, with the calls in this process."""
    return Here(root=project.root, environment=project.environment)


@pytest.fixture
def make_note() -> Callable[[str, str], str]:
    """The text of a note on a commit, with one workflow in that state."""
    from windlass_runner.run.report import JobReport, RunReport, State, note_text, to_note

    def make(sha: str, state: State) -> str:
        job = JobReport(key="fit", name="fit", state=state, metrics={"accuracy": 0.97})
        run = RunReport(workflow="train", path="t.yaml", state=state, run="r1", jobs=(job,))
        return note_text(to_note([run], commit=sha, updated=1.0))

    return make
