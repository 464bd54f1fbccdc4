"""Gates of local runs: asked at the terminal, answered beforehand, or from another terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from typing import Any

from integration.commands.conftest import COMMAND, ROOT

GATED = """
jobs:
  a: {uses: script@v1, with: {script: 'echo built'}}
  look:
    needs: [a]
    uses: approve@v1
    with: {message: Ship it?, approvers: [ada, bob], approvals: 2}
    outputs: {approved-by: {type: string}, comment: {type: string}}
  b:
    needs: [look]
    environment: production
    uses: script@v1
    with: {script: 'echo "let by ${{ needs.look.outputs.approved-by }}, key $KEY"'}
    env: {KEY: '${{ secrets.KEY }}'}
"""
SETTINGS = """
[[environment]]
name = "production"
approvers = ["ada"]
[environment.secrets]
KEY = {file = "key"}
"""
PROCESS = ("--engine", "process")


def gated(project: Any) -> None:
    project.workflow(GATED)
    project.write("windlass.toml", SETTINGS)
    project.write("key", "s3cret\n")
    project.commit()


def test_without_a_terminal_a_gate_fails_with_the_remedy(project: Any) -> None:
    gated(project)
    answer = project.windlass("run", "w", *PROCESS)
    assert answer.code == 1
    assert "nobody can be asked here; give --yes, or --approve look" in answer.out
    (project.root / "windlass.toml").unlink()  # with it, another ledger is meant
    again = project.windlass("rerun", "latest", "--failed", "--yes", "--engine", "process")
    assert again.code == 0, again.out + again.err


def test_gates_are_opened_beforehand_by_name_or_all(project: Any) -> None:
    gated(project)
    answer = project.windlass("run", "w", *PROCESS, "--approve", "look", "--approve", "production")
    assert answer.code == 0, answer.out + answer.err
    assert "let by ann, key ***" in answer.out
    assert "approved by ann" in answer.out
    answer = project.windlass("run", "w", *PROCESS, "--yes", "--json")
    assert answer.code == 0, answer.err
    jobs = {job["key"]: job for job in json.loads(answer.out)["jobs"]}
    assert jobs["look"]["outputs"]["approved-by"]["text"] == "ann"
    assert jobs["b"]["gate"]["answers"][0]["via"] == "--yes"
    shown = project.windlass("plan", "w").out
    assert "approve@v1: people" in shown
    assert "production" in shown


def start(project: Any) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "run", "w", *PROCESS],
        cwd=project.root,
        env={**project.environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def read_until(terminal: int, text: str, *, timeout_s: float = 60) -> str:
    """What the terminal shows, until that text is in it."""
    shown, deadline = b"", time.monotonic() + timeout_s
    while text.encode() not in shown:
        assert time.monotonic() < deadline, shown.decode(errors="replace")
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65_536)
            except OSError:  # the other side is closed
                break
    return shown.decode(errors="replace")


def test_the_terminal_is_asked_and_asked_again_where_the_answer_is_none(project: Any) -> None:
    gated(project)
    process, terminal = start(project)
    assert "look waits for approval by somebody who may write: Ship it?" in read_until(terminal, "[y/n]")
    os.write(terminal, b"perhaps\n")
    read_until(terminal, "[y/n]")
    os.write(terminal, b"y\n")
    assert "b waits for approval of production" in read_until(terminal, "[y/n]")
    os.write(terminal, b"n\n")
    read_until(terminal, "rejected by ann")
    read_until(terminal, "\nrun ")
    assert process.wait(60) == 1
    os.close(terminal)


def test_a_gate_is_opened_from_another_terminal(project: Any) -> None:
    gated(project)
    process, terminal = start(project)
    read_until(terminal, "[y/n]")
    (project.root / "windlass.toml").unlink()  # with it, another ledger is meant
    waits = project.windlass("runs", "--state", "waiting")
    assert "waiting" in waits.out
    told = project.windlass("approve", "latest", "look", "--comment", "from afar")
    assert told.code == 0, told.err
    read_until(terminal, "b waits for")
    assert project.windlass("approve", "latest", "--as", "eve").code == 0
    read_until(terminal, "success")
    assert process.wait(60) == 0
    os.close(terminal)


def test_the_examples_of_an_approval_are_let_through(project: Any) -> None:
    folder = ROOT / "actions" / "windlass_actions" / "approve"
    answer = project.windlass("action", "test", str(folder), *PROCESS)
    assert (answer.code, "2 of 2 examples as promised" in answer.out) == (0, True), answer.out + answer.err
