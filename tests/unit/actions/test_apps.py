"""The built-in apps: how each is begun, and how it ends. In place of the large packages there is a small one
of the same name, which tells how it was called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.actions.running import Job
from windlass_registry.sources.builtin import builtin_folder

APPS = {"notebook": "jupyterlab", "tensorboard": "tensorboard", "streamlit": "streamlit"}
PLACE = {"WINDLASS_APP_HOST": "127.0.0.1", "WINDLASS_APP_PORT": "4242", "WINDLASS_APP_BASE": "/apps/r/j/"}
TELLS = """
import json, os, sys, time
print(json.dumps(sys.argv[1:]), flush=True)
while os.environ.get("CODE") is None:
    time.sleep(0.02)
sys.exit(int(os.environ["CODE"]))
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in APPS.values():
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        for module in ("__main__", "main"):
            (folder / f"{module}.py").write_text(TELLS)
    return tmp_path / "packages"


class Started:
    """An action's file while it runs."""

    def __init__(self, job: Job, name: str, variables: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(builtin_folder() / name / "main.py")],
            cwd=job.workspace,
            env={**job.environment({}), **PLACE, **variables},
            stdout=subprocess.PIPE,
            text=True,
        )

    def words(self) -> list[str]:
        """How the app was called."""
        assert self.process.stdout is not None
        words: list[str] = next(json.loads(line) for line in self.process.stdout if line.startswith("["))
        return words

    def end(self) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture
def start(job: Job, packages: Path) -> Iterator[Any]:
    started: list[Started] = []

    def start(name: str, **variables: str) -> Started:
        started.append(Started(job, name, {"PYTHONPATH": str(packages), **variables}))
        return started[-1]

    yield start
    for each in started:
        each.process.terminate()  # it ends the app too, which a kill would not
        each.process.communicate(timeout=30)


def test_the_file_that_they_share_is_the_same() -> None:
    assert len({(builtin_folder() / name / "serving.py").read_bytes() for name in APPS}) == 1


def test_a_notebook_serves_a_folder_below_its_base(job: Job, start: Any) -> None:
    (job.workspace / "n o").mkdir()
    (job.workspace / "n o" / "a b.ipynb").write_text("{}")
    words = start("notebook", APP_FOLDER="n o", APP_NOTEBOOK="a b.ipynb").words()
    assert {
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=4242",
        "--ServerApp.base_url=/apps/r/j/",
        f"--ServerApp.root_dir={job.workspace / 'n o'}",
        "--LabApp.default_url=/lab/tree/a%20b.ipynb",
    } <= set(words)


def test_tensorboard_shows_the_input(job: Job, start: Any) -> None:
    (job.inputs / "logs").mkdir()
    words = start("tensorboard", APP_LOGDIR="/inputs/logs").words()
    assert {f"--logdir={job.inputs / 'logs'}", "--path_prefix=/apps/r/j", "--port=4242"} <= set(words)


def test_streamlit_gets_words_of_its_own(job: Job, start: Any) -> None:
    (job.workspace / "app.py").write_text("")
    words = start("streamlit", APP_FILE="app.py", APP_ARGS='["--title", "two words", 3]').words()
    assert words[:2] == ["run", str(job.workspace / "app.py")]
    assert "--server.baseUrlPath=apps/r/j" in words
    assert words[words.index("--") :] == ["--", "--title", "two words", "3"]


def test_an_app_says_when_it_ends(job: Job, start: Any, tmp_path: Path) -> None:
    begun = time.time()
    start("notebook", APP_TIMEOUT_MINUTES="2", WINDLASS_APP_ENDS=str(tmp_path / "ends")).words()
    assert begun + 119 < float((tmp_path / "ends").read_text()) < time.time() + 121


def test_when_its_time_is_over_an_app_has_succeeded_and_the_folder_is_saved(job: Job, start: Any) -> None:
    (job.workspace / ".git").mkdir()
    (job.workspace / "a.ipynb").write_text("made")
    code, said = start("notebook", APP_TIMEOUT_MINUTES="0.005").end()
    assert code == 0
    assert "::notice::the app's time is over: 0.005 minutes" in said
    assert [path.name for path in (job.outputs / "notebook").iterdir()] == ["a.ipynb"]


def test_an_app_that_is_stopped_saves_and_has_succeeded(job: Job, start: Any) -> None:
    (job.workspace / "a.ipynb").write_text("made")
    started = start("notebook")
    started.words()
    started.process.send_signal(signal.SIGTERM)
    assert started.end()[0] == 0
    assert (job.outputs / "notebook" / "a.ipynb").read_text() == "made"


@pytest.mark.parametrize("code", [0, 3])
def test_an_app_that_ends_by_itself_ends_the_job_as_it_did(job: Job, start: Any, code: int) -> None:
    assert start("notebook", CODE=str(code)).end()[0] == code
    assert (job.outputs / "notebook").is_dir()


@pytest.mark.parametrize(
    ("name", "variables", "error"),
    [
        ("notebook", {"APP_FOLDER": "none"}, "there is no folder '"),
        ("notebook", {"APP_NOTEBOOK": "none.ipynb"}, "there is no notebook 'none.ipynb' in "),
        ("notebook", {"PYTHONPATH": ""}, "the image has no jupyterlab: name an image that has it, or write"),
        ("notebook", {"APP_TIMEOUT_MINUTES": "-1"}, "'timeout-minutes' must be a number above 0, not '-1'"),
        ("tensorboard", {}, "there is no folder '"),
        ("streamlit", {"APP_FILE": "none.py"}, "there is no file '"),
    ],
)
def test_what_is_wrong_is_told(start: Any, name: str, variables: dict[str, str], error: str) -> None:
    if variables.get("PYTHONPATH") == "" and _has(APPS[name]):
        pytest.skip("it is installed here")
    code, said = start(name, **variables).end()
    assert code == 1
    assert f"::error::{error}" in said


def _has(module: str) -> bool:
    command = [sys.executable, "-c", f"import {module}"]
    done = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ))
    return done.returncode == 0
