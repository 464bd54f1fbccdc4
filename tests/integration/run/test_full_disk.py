"""A job that fills the host's disk, on which everything of one Windlass lies."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.run.full_disk import find_full_disk

FILLS = "dd if=/dev/zero of=big bs=64k count=4096"


@pytest.mark.parametrize("steps", ["[{run: %s}]", "[{run: 'true'}, {run: %s}]"], ids=["alone", "session"])
def test_a_job_that_fills_the_disk_says_so_and_the_next_one_has_room(cramped: Any, steps: str) -> None:
    done = cramped.run(f"""
jobs:
  a: {{steps: {steps % FILLS}}}
  b: {{needs: a, if: always(), steps: [{{run: 'echo room > file; cat file'}}]}}
""")
    assert done.states() == {"a": "failure", "b": "success"}
    reason = done.jobs["a"].reason
    assert reason.startswith("exit code 1; the disk is full: 0.0 MB are left where ")
    assert reason.endswith(f"{cramped.storage.root} lies; free some, and run it again")
    assert [each.cause for each in cramped.ledger.runs.attempts(done.id)] == ["error", None]
    assert done.log("b") == "room"


def test_a_disk_that_is_full_before_a_job_is_told_too(cramped: Any) -> None:
    done = cramped.run(f"""
jobs:
  a:
    steps:
      - {{run: '{FILLS}', continue-on-error: true}}
      - {{if: always(), run: echo NEVER}}
  b: {{needs: a, if: always(), steps: [{{run: echo room}}]}}
""")
    assert done.states() == {"a": "failure", "b": "success"}
    assert "disk is full" in done.jobs["a"].reason


def test_a_kill_between_the_cleaning_and_the_ledger_runs_nothing_twice(cramped: Any) -> None:
    run_id = cramped.create(f"jobs: {{a: {{steps: [{{run: 'echo began; {FILLS}'}}]}}}}")
    killed = cramped.begin_elsewhere(run_id, "clean")
    assert killed.wait(timeout=60) == -signal.SIGKILL
    assert [each.state for each in cramped.ledger.runs.attempts(run_id)] != ["ended"]
    assert not cramped.storage.attempt_scratch(run_id, "a", 1).exists()

    cramped.conductor.begin(run_id)
    done = cramped.finished(run_id)

    assert done.states() == {"a": "failure"}
    assert "the disk is full" in done.jobs["a"].reason
    assert [(each.number, each.exit_code) for each in cramped.ledger.runs.attempts(run_id)] == [(1, 1)]
    assert done.log("a").count("began") <= 1  # a disk that is full takes no log either
    assert not cramped.storage.scratch(run_id).exists()


def test_a_failure_elsewhere_is_not_blamed_on_the_disk(cramped: Any) -> None:
    done = cramped.run("jobs: {a: {steps: [{run: exit 3}]}}")
    assert done.jobs["a"].reason == "exit code 3"


def test_a_folder_that_is_gone_has_no_full_disk(tmp_path: Path) -> None:
    assert find_full_disk(tmp_path / "gone", tmp_path) is None
