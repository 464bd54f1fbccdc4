"""`windlass run` and what looks at local runs, in real processes, with the process engine."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHAIN = """
inputs: {word: {default: hello}}
jobs:
  a:
    uses: script@v1
    with: {script: 'echo "${{ inputs.word }} from a"; cat note.txt; echo data > /outputs/x'}
    outputs: {x: {type: artifact}}
  b:
    needs: [a]
    inputs: {x: a.outputs.x}
    uses: script@v1
    with: {script: 'echo "b has $(cat /inputs/x)"; test ! -e fail'}
  c: {needs: [b], uses: script@v1, with: {script: echo c}}
  other: {uses: script@v1, with: {script: echo other}}
"""
SLEEPER = """
jobs:
  a: {uses: script@v1, with: {script: 'echo begin; sleep 300'}}
  b: {needs: [a], uses: script@v1, with: {script: echo b}}
"""
PROCESS = ("--engine", "process")


def runs(project: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.windlass("runs", "--json").out.splitlines()]


def test_a_run_takes_the_working_tree_as_it_is_and_lays_out_what_it_made(project: Any) -> None:
    project.workflow(CHAIN)
    project.commit()
    project.write("note.txt", "not committed\n")
    answer = project.windlass("run", "w", "--input", "word=hi", *PROCESS)
    assert answer.code == 0, answer.out + answer.err
    lines = answer.out.splitlines()
    assert "a     | hi from a" in lines
    assert "a     | not committed" in lines
    assert "b     | b has data" in lines
    assert any(re.match(r"✓ w #1  success", line) for line in lines)
    run = runs(project)[0]
    assert (project.root / ".windlass/out" / run["id"] / "a/x").read_text() == "data\n"
    assert (project.root / ".windlass/out/latest/a/x").exists()
    assert project.git("status", "--porcelain") == "?? note.txt"
    assert not any((project.root / ".windlass/state/scratch").glob("*"))


def test_jobs_are_told_in_the_order_in_which_they_ended(project: Any) -> None:
    project.workflow(CHAIN)
    project.write("note.txt", "x\n")
    out = project.windlass("run", "w", *PROCESS).out
    ends = re.findall(r"^(\w+) +\| ✓ success", out, re.MULTILINE)
    assert [name for name in ends if name != "other"] == ["a", "b", "c"]


def test_a_failure_is_shown_with_its_last_words_and_runs_again_from_there(project: Any) -> None:
    project.workflow(CHAIN)
    project.write("note.txt", "x\n")
    project.write("fail", "")
    answer = project.windlass("run", "w", *PROCESS)
    assert answer.code == 1
    assert "'b' failed first (exit code 1)" in answer.out
    assert "│ b has data" in answer.out
    (project.root / "fail").unlink()
    again = project.windlass("rerun", "latest", "--failed", *PROCESS)
    assert again.code == 0, again.out + again.err
    assert "a     | ✓ success" in again.out
    assert "a     | hello from a" not in again.out
    assert "c     | c" in again.out
    assert [run["state"] for run in runs(project)] == ["success", "failure"]


def test_a_part_of_a_workflow_runs_alone_or_from_a_job_on(project: Any) -> None:
    project.workflow(CHAIN)
    project.write("note.txt", "x\n")
    refused = project.windlass("run", "w", "--from", "b", *PROCESS)
    assert refused.code == 2
    assert "no earlier run here has results of a" in refused.err
    part = json.loads(project.windlass("run", "w", "--job", "b", "--json", *PROCESS).out)
    assert [job["key"] for job in part["jobs"]] == ["a", "b"]
    rest = json.loads(project.windlass("run", "w", "--from", "b", "--json", *PROCESS).out)
    assert [(job["key"], job["state"], job["reason"]) for job in rest["jobs"]] == [
        ("a", "success", "taken from run #1"),
        ("b", "success", ""),
        ("c", "success", ""),
    ]
    unknown = project.windlass("run", "w", "--job", "d", *PROCESS)
    assert unknown.code == 2
    assert "the workflow has no job 'd'; known here: a, b, c, other" in unknown.err


def test_a_secret_comes_from_the_environment_and_stays_out_of_sight(project: Any) -> None:
    script = 'echo "len ${#TOKEN}"; echo "it is $TOKEN"'
    project.workflow(
        f"jobs: {{a: {{env: {{TOKEN: 'secret:TOKEN'}}, uses: script@v1, with: {{script: '{script}'}}}}}}"
    )
    answer = project.windlass("run", "w", "--secret", "TOKEN", *PROCESS, TOKEN="hunter2hunter2")
    assert "a | len 14" in answer.out
    assert "hunter2" not in answer.out
    assert "a | it is ***" in answer.out
    missing = project.windlass("run", "w", "--secret", "NOPE", *PROCESS)
    assert missing.code == 3
    assert "no variable 'NOPE'" in missing.err


def test_what_the_runner_cannot_do_is_refused_before_anything_runs(project: Any) -> None:
    project.workflow("jobs: {a: {resources: {gpu: 1}, uses: script@v1, with: {script: echo}}}")
    answer = project.windlass("run", "w", *PROCESS)
    assert answer.code == 3
    assert "a GPU" in answer.err
    assert runs(project) == []


def test_an_engine_that_is_gone_is_said_so(project: Any) -> None:
    project.workflow("jobs: {a: {uses: script@v1, with: {script: echo}}}")
    answer = project.windlass("run", "w", DOCKER_HOST="unix:///nowhere.sock")
    assert answer.code == 3
    assert "does not answer" in answer.err
    assert runs(project) == []


def test_logs_and_show_tell_of_a_run_that_has_ended(project: Any) -> None:
    project.workflow(CHAIN)
    project.write("note.txt", "x\n")
    project.windlass("run", "w", *PROCESS)
    run = runs(project)[0]
    assert project.windlass("logs", run["id"][:9], "b").out == "b has data\n"
    assert project.windlass("logs", "-f", "w#1", "c").out == "c\n"
    lines = [json.loads(line) for line in project.windlass("logs", "--json").out.splitlines()]
    assert {line["job"] for line in lines} == {"a", "b", "c", "other"}
    shown = json.loads(project.windlass("show", "--json").out)
    assert [job["state"] for job in shown["jobs"]] == ["success"] * 4
    assert "x → .windlass/out/" in project.windlass("show").out
    assert project.windlass("logs", "latest", "d").code == 2
    assert project.windlass("show", "zzzz").code == 2
    assert "has ended already" in project.windlass("cancel", "latest").out


def test_without_runs_the_remedy_is_named(project: Any) -> None:
    answer = project.windlass("runs")
    assert answer.code == 3
    assert "windlass run" in answer.err


def test_start_needs_a_daemon(project: Any) -> None:
    project.write("windlass.toml", '[storage]\npath = "store"\n')
    assert project.windlass("start", "w").code == 3
    project.write("windlass.toml", "")
    project.workflow("jobs: {a: {uses: script@v1, with: {script: echo}}}")
    (project.root / "windlass.toml").unlink()
    project.windlass("run", "w", *PROCESS)
    answer = project.windlass("start", "w")
    assert answer.code == 3
    assert "windlass run" in answer.err


@pytest.fixture
def begin(project: Any) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Makes calls that go on beside the test, each in a process group of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def call(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        streams = options or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "windlass_runner.cli", *words]
        process = subprocess.Popen(
            command, cwd=project.root, env=project.environment, start_new_session=True, **streams
        )
        begun.append(process)
        return process

    yield call
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(what: Callable[[], Any], *, limit_s: float = 90.0) -> Any:
    deadline = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        select.select([], [], [], 0.05)
    return found


def has_said(project: Any, text: str) -> bool:
    """Whether a job of a local run has written a line that is just that."""
    logs = (project.root / ".windlass/state/runs").glob("*/logs/*/*.jsonl")
    return any(f'"x":"{text}"' in path.read_text() for path in logs)


def test_one_interrupt_cancels_gracefully(project: Any, begin: Any) -> None:
    project.workflow(SLEEPER)
    process = begin("run", "w", *PROCESS)
    wait_for(lambda: has_said(project, "begin"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "interrupted at the keyboard" in out.decode()
    assert [job["state"] for job in json.loads(project.windlass("show", "--json").out)["jobs"]] == [
        "cancelled",
        "cancelled",
    ]


def test_two_interrupts_kill_what_does_not_listen(project: Any, begin: Any) -> None:
    script = "trap 'echo no' TERM; echo begin; while :; do sleep 0.2 || :; done"
    project.workflow(f'jobs: {{a: {{uses: script@v1, with: {{script: "{script}"}}}}}}')
    process = begin("run", "w", *PROCESS)
    wait_for(lambda: has_said(project, "begin"))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: has_said(project, "no"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "killed at the keyboard" in out.decode()
    assert runs(project)[0]["state"] == "cancelled"


def test_another_terminal_can_stop_a_local_run(project: Any, begin: Any) -> None:
    project.workflow(SLEEPER)
    process = begin("run", "w", *PROCESS)
    wait_for(lambda: has_said(project, "begin"))
    answer = project.windlass("cancel", "latest", "--wait")
    assert answer.code == 0
    assert "cancelled" in answer.out
    process.communicate(timeout=90)
    assert process.returncode == 1


def test_what_a_killed_run_left_is_cleared_away_by_the_next(project: Any, begin: Any) -> None:
    project.workflow(SLEEPER)
    process = begin("run", "w", *PROCESS)
    wait_for(lambda: has_said(project, "begin"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=90)
    project.workflow("jobs: {a: {uses: script@v1, with: {script: echo}}}", name="v")
    answer = project.windlass("run", "v", *PROCESS)
    assert answer.code == 0
    assert "whose process was killed" in answer.err
    assert [run["state"] for run in runs(project)] == ["success", "cancelled"]
    assert not any((project.root / ".windlass/state/scratch").glob("*"))


def read_terminal(master: int) -> bytes:
    """Everything that is written to a terminal, until nobody can write to it any more."""
    found = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(master, 65536):
            found += chunk
    return found


def test_a_terminal_shows_a_table_that_lives(project: Any, begin: Any) -> None:
    project.workflow(CHAIN)
    project.write("note.txt", "x\n")
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    project.environment["TERM"] = "xterm-256color"
    process = begin("run", "w", *PROCESS, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = read_terminal(master).decode()
    os.close(master)
    assert process.wait(timeout=90) == 0
    assert "\x1b[?25l" in shown  # the cursor is hidden while the table lives
    assert shown.count("\x1b[?25h") >= 1  # and comes back
    assert "4/4" in shown
    assert "━" in shown
    assert shown.rstrip().endswith(f"run {runs(project)[0]['id']}\x1b[0m")


def test_no_color_is_honoured_on_a_terminal(project: Any, begin: Any) -> None:
    project.workflow("jobs: 1")
    master, slave = pty.openpty()
    project.environment["NO_COLOR"] = "1"
    process = begin("validate", stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = read_terminal(master).decode()
    os.close(master)
    assert process.wait(timeout=90) == 2
    assert "jobs" in shown
    assert "\x1b[" not in shown


@pytest.mark.docker
def test_docker_runs_the_same_workflow(project: Any) -> None:
    text = CHAIN.replace("jobs:", "defaults: {image: 'windlass-test/busybox:1'}\njobs:", 1)
    project.workflow(text)
    project.write("note.txt", "x\n")
    answer = project.windlass("run", "w", "--engine", "docker")
    assert answer.code == 0, answer.out + answer.err
    assert "b     | b has data" in answer.out
    run = runs(project)[0]
    call = ["docker", "ps", "-aq", "--filter", f"label=windlass.run={run['id']}"]
    assert subprocess.run(call, capture_output=True, check=True).stdout == b""


@pytest.mark.docker
def test_show_says_which_images_ran(project: Any) -> None:
    image = "windlass-test/busybox:1"
    project.workflow(f"jobs: {{a: {{image: '{image}', steps: [{{run: 'true'}}]}}}}")
    project.windlass("run", "w", "--engine", "docker")
    inspect = ["docker", "image", "inspect", image, "--format", "{{.Id}}"]
    digest = subprocess.check_output(inspect, text=True).strip()
    assert f"image {image} → {digest}" in project.windlass("show").out.splitlines()
    (job,) = json.loads(project.windlass("show", "--json").out)["jobs"]
    assert [attempt["images"] for attempt in job["attempts"]] == [{image: digest}]
