"""Jobs that are stopped: which of their steps still run, and what those see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_runner.engines.base import Container, ContainerSpec
from windlass_runner.run import stopping

WAITS = "echo ready; while true; do sleep 0.05; done"
STEPS = f"""
      - {{run: echo first}}
      - {{id: long, run: '{WAITS}'}}
      - {{run: echo NEXT}}
      - {{if: success(), run: echo SUCCESS}}
      - {{if: failure(), run: echo FAILURE}}
      - {{if: cancelled(), run: 'echo cancelled after ${{{{ steps.long.outcome }}}}'}}
      - {{id: soft, if: always(), continue-on-error: true, run: exit 4}}
      - {{if: always(), run: 'echo ${{{{ job.status }}}} ${{{{ steps.soft.outcome }}}}'}}
"""
SAID = ["first", "ready", "cancelled after cancelled", "cancelled failure"]


def said(text: str) -> list[str]:
    """Without what a shell says of a process that was ended."""
    return [line for line in text.splitlines() if "erminated" not in line and "illed" not in line]


def test_steps_that_ask_for_it_run_after_a_cancel(runner: Any) -> None:
    run_id = runner.begin("jobs:\n  a:\n    steps:" + STEPS)
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    done = runner.finished(run_id)
    assert (done.states(), done.jobs["a"].reason) == ({"a": "cancelled"}, "enough")
    assert said(done.log("a")) == SAID


def test_steps_that_ask_for_it_run_when_the_jobs_time_is_over(runner: Any) -> None:
    done = runner.run("jobs:\n  a:\n    timeout-minutes: '${{ 0.1 }}'\n    steps:" + STEPS)
    assert done.states() == {"a": "timed_out"}
    assert done.jobs["a"].reason == "ran longer than 0.1 minutes"
    assert said(done.log("a")) == SAID


def test_a_step_is_stopped_with_all_its_processes_and_may_say_goodbye(runner: Any) -> None:
    run_id = runner.begin("""
jobs:
  a:
    steps:
      - run: |
          sh -c 'trap "echo child says goodbye; exit 0" TERM; echo ready; while :; do sleep 0.05; done' &
          trap 'wait; echo goodbye; exit 3' TERM
          while :; do sleep 0.05; done
      - {if: always(), run: echo last}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    lines = said(runner.finished(run_id).log("a"))
    assert lines == ["ready", "child says goodbye", "goodbye", "last"]


def test_a_step_that_ignores_sigterm_is_killed_and_the_next_one_runs(
    runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windlass_runner.run.attempt_host.GRACE_S", 0.2)
    run_id = runner.begin(f"""
jobs:
  a:
    steps:
      - {{run: 'trap "" TERM; {WAITS}'}}
      - {{if: always(), run: echo last}}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    assert said(runner.finished(run_id).log("a")) == ["ready", "last"]


def test_by_force_no_step_follows(runner: Any) -> None:
    run_id = runner.begin(f"""
jobs:
  a:
    steps:
      - {{run: '{WAITS}'}}
      - {{if: always(), run: 'echo last; {WAITS}'}}
      - {{if: always(), run: echo NEVER}}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    runner.until(lambda: runner.log(run_id, "a").count("ready") == 2)
    runner.conductor.cancel(run_id, reason="now", force=True)
    done = runner.finished(run_id)
    assert (done.states(), done.jobs["a"].reason) == ({"a": "cancelled"}, "enough")
    assert said(done.log("a")) == ["ready", "last", "ready"]


def test_steps_that_follow_for_too_long_are_ended(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = runner.begin(f"""
jobs:
  a:
    steps:
      - {{run: '{WAITS}'}}
      - {{if: always(), run: 'echo last; {WAITS}'}}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    monkeypatch.setattr(stopping, "LAST_STEPS_S", 1.0)
    runner.conductor.cancel(run_id, reason="enough")
    done = runner.finished(run_id)
    assert done.states() == {"a": "cancelled"}
    assert done.jobs["a"].reason == "enough; the steps after that took longer than 5 minutes"


def test_steps_inside_a_composite_action_that_always_runs_follow_one_another(
    runner: Any, tmp_path: Path
) -> None:
    action = tmp_path / "actions" / "tidy"
    action.mkdir(parents=True)
    (action / "action.yml").write_text("""
name: tidy
description: tidies up
runs:
  using: composite
  steps:
    - {shell: sh, run: echo tidies}
    - {shell: sh, if: cancelled(), run: 'echo ${{ job.status }}; exit 5'}
    - {shell: sh, run: echo NEVER}
    - {shell: sh, if: failure(), run: echo failed inside}
""")
    run_id = runner.begin(f"""
jobs:
  a:
    steps:
      - {{run: '{WAITS}'}}
      - {{if: always(), uses: ./actions/tidy}}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    assert said(runner.finished(run_id).log("a")) == ["ready", "tidies", "cancelled", "failed inside"]


def test_after_a_kill_a_stopped_job_goes_on_with_its_last_steps(runner: Any) -> None:
    run_id = runner.create("""
jobs:
  a:
    timeout-minutes: 0.1
    steps:
      - {id: one, run: exit 1, continue-on-error: true}
      - {run: 'echo ready; while true; do sleep 0.05; done'}
      - {if: failure(), run: echo NEVER}
      - if: cancelled()
        run: |
          echo x >> "$WINDLASS_CHECKPOINT_DIR/count"
          echo waits
          while [ ! -e "$WINDLASS_CHECKPOINT_DIR/go" ]; do sleep 0.05; done
          echo '${{ steps.one.outcome }} ${{ job.status }}'
      - {if: always(), run: 'cat "$WINDLASS_CHECKPOINT_DIR/count"'}
""")
    process = runner.begin_elsewhere(run_id)
    runner.until(lambda: "waits" in runner.log(run_id, "a"))
    process.kill()
    process.wait()
    runner.conductor.begin(run_id)
    (runner.storage.scratch(run_id) / "a" / "checkpoint" / "go").touch()
    done = runner.finished(run_id)
    assert done.states() == {"a": "timed_out"}
    assert said(done.log("a")) == ["ready", "waits", "failure cancelled", "x"]


def test_a_cancel_that_comes_back_after_a_kill_stops_the_step_that_ran(runner: Any) -> None:
    run_id = runner.create("jobs:\n  a:\n    steps:" + STEPS)
    process = runner.begin_elsewhere(run_id)
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    process.kill()
    process.wait()
    runner.ledger.runs.request_cancel(run_id, at=0.0)
    runner.conductor.begin(run_id)
    done = runner.finished(run_id)
    assert done.states() == {"a": "cancelled"}
    assert said(done.log("a")) == SAID


@pytest.mark.docker
def test_a_step_in_a_container_of_its_own_is_stopped_alone(docker_runner: Any) -> None:
    run_id = docker_runner.begin(f"""
jobs:
  a:
    steps:
      - {{run: echo one > file}}
      - {{run: 'trap "echo goodbye; exit 0" TERM; {WAITS}', image: 'windlass-test/python:1', shell: sh}}
      - {{if: always(), run: cat file}}
      - {{if: always(), run: echo last, image: 'windlass-test/python:1', shell: sh}}
""")
    docker_runner.until(lambda: "ready" in docker_runner.log(run_id, "a"))
    docker_runner.conductor.cancel(run_id, reason="enough")
    lines = said(docker_runner.finished(run_id).log("a"))
    assert lines == ["ready", "goodbye", "one", "last"]


@pytest.mark.docker
def test_services_are_there_for_the_last_steps(docker_runner: Any) -> None:
    run_id = docker_runner.begin(f"""
jobs:
  a:
    services:
      web:
        image: windlass-test/busybox:1
        command: [sh, -c, 'mkdir /w; echo served > /w/x; exec httpd -f -p 80 -h /w']
        health: {{command: 'wget -q -O /dev/null http://127.0.0.1/x', interval: 200ms, retries: 100}}
    steps:
      - {{run: '{WAITS}'}}
      - {{if: always(), run: 'wget -q -O- http://web/x'}}
""")
    docker_runner.until(lambda: "ready" in docker_runner.log(run_id, "a"))
    docker_runner.conductor.cancel(run_id, reason="enough")
    assert said(docker_runner.finished(run_id).log("a")) == ["ready", "served"]


NEVER_UP = """
jobs:
  a:
    services:
      web:
        image: windlass-test/busybox:1
        command: [sh, -c, 'sleep 600']
        health: {command: exit 1, interval: 1s, retries: 1000}
    steps:
      - run: echo NEVER
      - {if: always(), run: echo last}
"""


@pytest.mark.docker
def test_a_stop_does_not_wait_for_services_that_never_come_up(docker_runner: Any) -> None:
    run_id = docker_runner.begin(NEVER_UP)
    web = f"windlass-{run_id}-a-1-web"
    docker_runner.until(lambda: docker_runner.engine.find(web) is not None)
    docker_runner.conductor.cancel(run_id, reason="enough")
    done = docker_runner.finished(run_id)
    assert (done.states(), done.jobs["a"].reason) == ({"a": "cancelled"}, "enough")
    assert said(done.log("a")) == ["last"]


@pytest.mark.docker
def test_a_stop_that_comes_while_a_service_is_made_ends_it(
    docker_runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = docker_runner.engine.create

    def create_and_cancel(spec: ContainerSpec) -> Container:
        container = create(spec)
        if spec.service_alias == "web":
            docker_runner.conductor.cancel(spec.run_id, reason="enough")
        return container

    monkeypatch.setattr(docker_runner.engine, "create", create_and_cancel)
    done = docker_runner.run(NEVER_UP)
    assert (done.states(), said(done.log("a"))) == ({"a": "cancelled"}, ["last"])
