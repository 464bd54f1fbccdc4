"""The main job, end to end: a real push, polled and hooked, real containers, the truth on the commit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.daemon.serving import SECRET, Repository, Serving, git, wait_until
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

WORKFLOW = """
on: {push: {branches: [main]}}
defaults: {image: 'windlass-test/busybox:1'}
jobs:
  prepare:
    uses: script@v1
    with: {script: 'mkdir -p /outputs/data; cp number /outputs/data/; echo prepared'}
    outputs: {data: {type: volume}}
  train:
    strategy: {matrix: {rate: [1, 2]}}
    inputs: {data: prepare.outputs.data}
    needs: [prepare]
    uses: script@v1
    with:
      script: |
        n=$(cat /inputs/data/number)
        echo "{\\"name\\": \\"score\\", \\"value\\": $((n * ${{ matrix.rate }}))}" >> "$WINDLASS_METRICS"
        echo "training at ${{ matrix.rate }}"
        %s
        echo trained
        echo "$n" > /outputs/model
    outputs: {model: {type: artifact}}
  report:
    needs: [train]
    steps:
      - run: echo "from ${{ github.ref_name }}"
      - run: echo done
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    bare, work = tmp_path / "digits.git", tmp_path / "work"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    return Repository(bare=bare, work=work)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    (tmp_path / "secret").write_text(SECRET)
    serving = Serving(folder=tmp_path)
    yield serving
    for life in serving.lives:
        if life.poll() is None:
            life.terminate()
            life.wait(20)
        if life.stdout is not None:
            life.stdout.close()
    owner = (tmp_path / "store" / "instance").read_text().strip()
    for kind in (["ps", "-aq"], ["network", "ls", "-q"]):
        left = subprocess.run(
            ["docker", *kind, "--filter", f"label=windlass.owner={owner}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert left.stdout == ""
    assert list((tmp_path / "store" / "scratch").glob("*")) == []


def configure(folder: Path, repository: Repository, *, poll_s: float) -> None:
    (folder / "windlass.toml").write_text(f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[[repository]]
url = "{repository.bare}"
poll_s = {poll_s}
webhook_secret = {{file = "secret"}}
[[host]]
engine = "docker"
parallelism = 2
""")


def install_hook(folder: Path, repository: Repository, serving: Serving) -> None:
    """As the guide says: what `windlass hook` prints, and the secret beside it."""
    words = [sys.executable, "-m", "windlass_runner.cli", "hook"]
    words += ["--repo", str(repository.bare), "--server", serving.address]
    script = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder).stdout
    hook = repository.bare / "hooks" / "post-receive"
    hook.write_text(script)
    hook.chmod(0o755)
    secret = hook.with_name("windlass.secret")
    secret.write_text(SECRET)
    secret.chmod(0o600)


def states(note: dict[str, Any]) -> dict[str, str]:
    return {job["key"]: job["state"] for job in note["workflows"][0]["jobs"]}


@pytest.mark.parametrize("is_hooked", [False, True], ids=["polled", "hooked"])
def test_a_push_becomes_containers_and_a_status_on_the_commit(
    tmp_path: Path, repository: Repository, serving: Serving, is_hooked: bool
) -> None:
    configure(tmp_path, repository, poll_s=0 if is_hooked else 0.2)
    serving.start()
    if is_hooked:
        install_hook(tmp_path, repository, serving)
    sha = repository.commit({".windlass/workflows/ci.yaml": WORKFLOW % ":", "number": "21\n"})
    repository.push()
    note = repository.wait_for_state(sha, "success", "failure")
    assert note["state"] == "success"
    assert states(note) == dict.fromkeys(("prepare", "train (1)", "train (2)", "report"), "success")
    jobs = {job["key"]: job for job in note["workflows"][0]["jobs"]}
    assert jobs["train (2)"]["metrics"] == {"score": 42}
    artifact = Path(jobs["train (1)"]["outputs"][0]["path"])
    assert artifact.read_text() == "21\n"
    with Ledger.open(tmp_path / "store" / "ledger.db") as ledger:
        assert len(ledger.runs.list()) == 1
        assert all(job.attempt == 1 for job in ledger.runs.jobs(ledger.runs.list()[0].id))
    wait_until(lambda: not list((tmp_path / "store" / "scratch").glob("*")), what="a clean host")


def test_a_kill_in_the_middle_loses_nothing_and_runs_nothing_twice(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, poll_s=0.2)
    serving.start()
    waits = 'echo x >> "$WINDLASS_CHECKPOINT_DIR/count"; sleep 4; cat "$WINDLASS_CHECKPOINT_DIR/count"'
    sha = repository.commit({".windlass/workflows/ci.yaml": WORKFLOW % waits, "number": "21\n"})
    repository.push()
    wait_until(
        lambda: states(repository.note(sha) or {"workflows": [{"jobs": []}]}).get("train (2)") == "running",
        what="a running job on the note",
    )
    serving.kill()
    assert states(repository.note(sha) or {})["train (2)"] == "running"
    second = repository.commit({"number": "5\n"}, message="while nobody looked")
    repository.push()
    serving.start()
    assert repository.wait_for_state(sha, "success", "failure")["state"] == "success"
    assert repository.wait_for_state(second, "success", "failure")["state"] == "success"
    with Ledger.open(tmp_path / "store" / "ledger.db") as ledger:
        runs = ledger.runs.list()
        assert sorted(run.sha for run in runs) == sorted((sha, second))
        first = next(run for run in runs if run.sha == sha)
        assert all(job.attempt == 1 for job in ledger.runs.jobs(first.id))
    found = Storage(tmp_path / "store").log(first.id, "train (2)", 1)
    texts = [json.loads(line)["x"] for line in found.read_text().splitlines()]
    assert texts == ["training at 2", "x", "trained"]
    wait_until(lambda: not list((tmp_path / "store" / "scratch").glob("*")), what="a clean host")
