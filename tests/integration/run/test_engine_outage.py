"""The Docker engine goes away while jobs run, and comes back."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.docker

STEPS = """
jobs:
  a:
    steps:
      - run: echo one; sleep 3; echo two
      - run: echo three > /outputs/file; echo three
    outputs: {file: {type: artifact}}
  b:
    needs: [a]
    steps: [{run: echo four}]
"""
ALONE = """
jobs:
  a:
    steps: [{run: echo one; sleep 3; echo two}]
  b:
    needs: [a]
    steps: [{run: echo four}]
"""
LONG = """
jobs:
  a:
    steps: [{run: echo one; sleep 60}, {run: echo two}]
"""


def wait_for_first_line(runner: Any, run_id: str) -> None:
    runner.until(lambda: "one" in runner.log(run_id, "a"))


@pytest.mark.parametrize(("text", "lines"), [(STEPS, "one two three"), (ALONE, "one two")])
def test_a_run_goes_on_where_its_engine_comes_back_and_no_step_is_run_twice(
    forwarded: Any, text: str, lines: str
) -> None:
    runner, docker = forwarded
    run_id = runner.begin(text)
    wait_for_first_line(runner, run_id)
    docker.vanish()
    docker.come_back()
    done = runner.finished(run_id)
    assert done.states() == {"a": "success", "b": "success"}
    assert done.log("a").split() == lines.split()


def test_a_cancel_while_the_engine_is_away_is_carried_out_when_it_is_back(forwarded: Any) -> None:
    runner, docker = forwarded
    run_id = runner.begin(LONG)
    wait_for_first_line(runner, run_id)
    docker.vanish()
    runner.conductor.cancel(run_id, reason="by hand")
    docker.come_back()
    assert runner.finished(run_id).states() == {"a": "cancelled"}
