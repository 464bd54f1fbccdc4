"""`start`, `cancel` and `rerun` against a daemon in a process of its own."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

QUICK = """
inputs: {word: {default: hello}}
jobs:
  a: {uses: script@v1, with: {script: 'echo "${{ inputs.word }}"'}}
  b: {needs: [a], uses: script@v1, with: {script: 'exit 3'}}
"""
SLOW = "jobs: {a: {uses: script@v1, with: {script: 'echo begin; sleep 300'}}}"
SETTINGS = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[[host]]
engine = "process"
[[repository]]
url = "watched.git"
poll_s = 0.2
"""


def wait_for(what: Callable[[], Any], *, limit_s: float = 90.0) -> Any:
    deadline = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        select.select([], [], [], 0.1)
    return found


@pytest.fixture
def served(project: Any) -> Iterator[Any]:
    """A daemon that watches a bare repository with two workflows."""
    project.workflow(QUICK, name="quick")
    project.workflow(SLOW, name="slow")
    project.commit()
    subprocess.run(["git", "clone", "-q", "--bare", ".", "watched.git"], cwd=project.root, check=True)
    project.write("windlass.toml", SETTINGS)
    call = [sys.executable, "-m", "windlass_runner.cli", "serve"]
    daemon = subprocess.Popen(
        call, cwd=project.root, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert daemon.stdout is not None
    assert daemon.stdout.readline().startswith(b"listening on ")
    yield project
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=90)


def test_a_started_run_is_followed_to_its_end_and_run_again(served: Any) -> None:
    answer = served.windlass("start", "quick", "--input", "word=hi", "--ref", "main", "--wait")
    assert answer.code == 1, answer.out + answer.err
    assert "a | hi" in answer.out
    assert "'b' failed first (exit code 3)" in answer.out
    again = served.windlass("rerun", "latest", "--failed", "--wait", "--json")
    assert again.code == 1
    states = {job["key"]: job["state"] for job in json.loads(again.out)["jobs"]}
    assert states == {"a": "success", "b": "failure"}
    listed = [json.loads(line) for line in served.windlass("runs", "--json").out.splitlines()]
    assert [run["number"] for run in listed] == [2, 1]
    assert listed[0]["rerun_of"] == listed[1]["id"]

    newest = served.root / "store" / "runs" / listed[0]["id"]
    newest.rename(newest.with_name(f"{newest.name}.leaving"))  # somebody removes it just now
    refused = served.windlass("rerun", "latest")
    assert (refused.code, "is being removed" in refused.err) == (3, True)
    assert len(served.windlass("runs", "--json").out.splitlines()) == 2


def test_a_running_run_is_cancelled(served: Any) -> None:
    begun = served.windlass("start", "slow", "--json")
    assert begun.code == 0, begun.err
    run_id = json.loads(begun.out)["id"]
    wait_for(lambda: "begin" in served.windlass("logs", run_id).out)
    answer = served.windlass("cancel", run_id, "--wait", "--reason", "enough")
    assert (answer.code, answer.out) == (0, f"run {run_id}: cancelled\n")
    shown = json.loads(served.windlass("show", run_id, "--json").out)
    assert (shown["state"], shown["reason"]) == ("cancelled", "enough")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("start", "quik"), "did you mean 'quick'?"),
        (("start", "quick", "--ref", "nope"), "no branch or tag 'nope'"),
        (("start", "quick", "--input", "wrod=x"), "did you mean 'word'?"),
        (("cancel", "zzzzz"), "there is no run 'zzzzz'"),
    ],
)
def test_what_the_daemon_cannot_do_is_said(served: Any, words: tuple[str, ...], message: str) -> None:
    answer = served.windlass(*words)
    assert answer.code in (2, 3)
    assert message in answer.err


def test_without_a_daemon_the_request_waits(project: Any) -> None:
    project.write("windlass.toml", SETTINGS)
    (project.root / "store").mkdir()
    from windlass_runner.ledger.ledger import Ledger

    Ledger.open(project.root / "store/ledger.db").close()
    answer = project.windlass("start", "quick", "--timeout", "0.2")
    assert answer.code == 4
    assert "windlass serve" in answer.err
