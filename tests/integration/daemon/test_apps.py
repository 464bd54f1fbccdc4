"""An app behind a real daemon: shown on the commit, kept over a kill, stopped from the command line."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from integration.daemon.serving import Repository, Serving, configure, wait_until

APP = Path(__file__).parents[1] / "run" / "tiny_app.py"
FILES = {
    ".windlass/workflows/see.yaml": """
on: push
jobs:
  see: {uses: ./tiny, outputs: {left: {type: string}}}
""",
    "tiny/action.yml": """
name: Tiny
runs: {using: python, main: main.py}
app: {port: 8888, path: /start, ready: /api}
""",
    "tiny/main.py": APP.read_text(),
}


@pytest.fixture
def serving(tmp_path: Path, repository: Repository) -> Iterator[Serving]:
    configure(tmp_path, repository)
    settings = tmp_path / "windlass.toml"
    settings.write_text(settings.read_text().replace("[storage]", 'url = "http://ci.example.org"\n[storage]'))
    serving = Serving(folder=tmp_path)
    yield serving
    for life in serving.lives:
        if life.poll() is None:
            life.terminate()
            life.wait(15)
        if life.stdout is not None:
            life.stdout.close()


def get(serving: Serving, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, cookie and body."""
    with closing(http.client.HTTPConnection(urlsplit(serving.address).netloc, timeout=30)) as line:
        line.request("GET", path, headers=headers)
        got = line.getresponse()
        return got.status, (got.headers["Set-Cookie"] or "").partition(";")[0], got.read().decode()


def windlass(serving: Serving, *words: str) -> Any:
    command = [sys.executable, "-m", "windlass_runner.cli", *words, "--json"]
    place = ["--config", str(serving.folder / "windlass.toml")]
    done = subprocess.run([*command, *place], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def app_of(repository: Repository, sha: str) -> dict[str, Any] | None:
    note = repository.note(sha)
    outputs = note["workflows"][0]["jobs"][0].get("outputs", []) if note is not None else []
    return next((output for output in outputs if output["type"] == "app"), None)


def pushed_app(serving: Serving, repository: Repository) -> tuple[str, dict[str, Any]]:
    """The commit, and what its note says of the app."""
    serving.start()
    sha = repository.commit(FILES)
    repository.push()
    wait_until(lambda: app_of(repository, sha), what="the app in the note")
    found = app_of(repository, sha)
    assert found is not None
    return sha, found


def test_an_apps_link_stands_on_the_commit_only_where_the_owner_wants_that(
    serving: Serving, repository: Repository
) -> None:
    settings = serving.folder / "windlass.toml"
    settings.write_text(settings.read_text().replace("[storage]", "link_apps = true\n[storage]"))
    _, found = pushed_app(serving, repository)
    assert windlass(serving, "show", "latest")["apps"] == {"see": found["url"]}
    windlass(serving, "stop", "latest")


def test_an_app_is_told_of_on_its_commit_outlives_the_daemon_and_can_be_stopped(
    serving: Serving, repository: Repository
) -> None:
    sha, found = pushed_app(serving, repository)
    assert "windlass show" in found["value"]
    assert "/apps/" not in json.dumps(repository.note(sha))
    link = windlass(serving, "show", "latest")["apps"]["see"]
    assert link.startswith("http://ci.example.org/apps/")
    parts = urlsplit(link)
    status, cookie, _ = get(serving, f"{parts.path}?{parts.query}")
    assert status == 303

    serving.kill()
    serving.start()
    assert get(serving, f"{parts.path}/start", Cookie=cookie)[::2] == (200, f"hello from {parts.path}/start")
    assert windlass(serving, "stop", "latest")["job"] == "see"
    note = repository.wait_for_state(sha, "success")
    job = note["workflows"][0]["jobs"][0]
    assert job["reason"] == "stopped by hand"
    assert [(output["name"], output["value"]) for output in job["outputs"]] == [("left", "what the app left")]
