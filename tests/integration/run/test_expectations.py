"""`expect`: what a job was to reach decides about it, once, whoever carries it out."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from windlass_runner.run.verdicts import judged_of

TRAIN = """
jobs:
  train:
    uses: script@v1
    with:
      script: |
        mkdir -p /outputs/report; echo seen > /outputs/report/file
        echo '{"name": "accuracy", "value": 0.5}' >> "$WINDLASS_METRICS"
        echo '{"name": "accuracy", "value": ACCURACY}' >> "$WINDLASS_METRICS"
        echo trained >> "$WINDLASS_CHECKPOINT_DIR/tries"; cat "$WINDLASS_CHECKPOINT_DIR/tries"
    outputs: {report: {type: artifact}}
    expect: {CONDITION}
    MORE
  use: {needs: train, uses: script@v1, with: {script: echo used}}
"""


def train(accuracy: float, condition: str = "accuracy: '>= base - 0.5%'", more: str = "") -> str:
    return TRAIN.replace("ACCURACY", str(accuracy)).replace("CONDITION", condition).replace("MORE", more)


def verdicts(done: Any, key: str = "train") -> list[str]:
    return [one.verdict for one in judged_of(done.runner.ledger.runs.attempts(done.id))[key]]


def test_a_job_that_falls_behind_the_base_fails_with_the_figures(runner: Any) -> None:
    first = runner.run(train(0.80), sha="1" * 40)
    assert first.states() == {"train": "success", "use": "success"}
    assert verdicts(first) == ["no base"]
    assert "there is no base to compare with yet" in first.log("train")
    second = runner.run(train(0.797), sha="2" * 40)  # within half a percent
    assert (second.state, verdicts(second)) == ("success", ["holds"])
    third = runner.run(train(0.79), sha="3" * 40)
    job = third.jobs["train"]
    assert third.states() == {"train": "failure", "use": "skipped"}
    assert job.reason == (
        "expected accuracy >= base - 0.5% (0.793015: base 0.797 of main (2222222)), found 0.79"
    )
    assert set(job.outputs) == {"report"}
    assert job.metrics["accuracy"]["last"] == 0.79
    (remark,) = job.annotations
    assert (remark["level"], remark["file"], remark["line"]) == ("error", "w.yaml", 12)
    assert job.reason in third.log("train")
    assert third.log("train").count("trained") == 1


def test_a_broken_run_is_no_base(runner: Any) -> None:
    runner.run(train(0.80), sha="1" * 40)
    runner.run(train(0.10), sha="2" * 40)
    assert runner.run(train(0.5), sha="3" * 40).state == "failure"


def test_what_a_schedule_starts_is_held_against_the_night_before(runner: Any) -> None:
    nightly = {"kind": "schedule", "schedule": "0 3 * * *"}
    assert verdicts(runner.run(train(0.80), **nightly)) == ["no base"]
    assert verdicts(runner.run(train(0.70), **nightly)) == ["broken"]
    assert verdicts(runner.run(train(0.80), **nightly)) == ["holds"]


def test_what_was_never_reported_is_told_with_what_was(runner: Any) -> None:
    done = runner.run(train(0.9, "acuracy: '> 0', rmse: '<= 60'"))
    assert done.state == "failure"
    assert verdicts(done) == ["not reported", "not reported"]
    assert done.jobs["train"].reason == (
        "expected acuracy > 0, but it was never reported; did you mean 'accuracy'? (and 1 more)"
    )
    assert done.jobs["train"].annotations[1]["message"].endswith("never reported; reported: accuracy")


def test_a_job_without_metrics_is_told_where_they_go(runner: Any) -> None:
    done = runner.run("jobs: {a: {uses: script@v1, with: {script: 'true'}, expect: {loss: '< 1'}}}")
    assert "write them to the file that WINDLASS_METRICS names" in done.jobs["a"].reason


def test_a_program_that_fails_is_not_judged(runner: Any) -> None:
    done = runner.run("jobs: {a: {uses: script@v1, with: {script: 'exit 3'}, expect: {loss: '< 1'}}}")
    assert done.jobs["a"].reason == "exit code 3"
    assert verdicts(done, "a") == []


@pytest.mark.parametrize(
    ("more", "states", "tries"),
    [
        ("continue-on-error: true", {"train": "neutral", "use": "success"}, 1),
        ("retry: {limit: 2, on: [failure]}", {"train": "failure", "use": "skipped"}, 3),
        ("retry: {limit: 2, on: [error, oom]}", {"train": "failure", "use": "skipped"}, 1),
    ],
)
def test_it_is_a_failure_like_any_other(runner: Any, more: str, states: dict[str, str], tries: int) -> None:
    done = runner.run(train(0.1, "accuracy: '>= 0.9'", more))
    assert done.states() == states
    assert done.jobs["train"].attempt == tries


def test_a_condition_may_come_from_an_expression(runner: Any) -> None:
    text = """
inputs: {least: {type: string, default: '0.9'}}
jobs:
  a:
    uses: script@v1
    with: {script: 'echo "{\\"name\\": \\"score\\", \\"value\\": 1}" >> "$WINDLASS_METRICS"'}
    expect: {score: '>= ${{ inputs.least }}'}
"""
    assert runner.run(text).state == "success"
    done = runner.run(text, inputs={"least": "lots"})
    assert done.jobs["a"].reason.startswith("expect: it cannot be '>= lots'; compare with a number")


def test_a_kill_between_verdict_and_ledger_decides_it_once(runner: Any) -> None:
    run_id = runner.create(train(0.1, "accuracy: '>= 0.9'"))
    killed = runner.begin_elsewhere(run_id, "run")
    assert killed.wait(timeout=60) == -signal.SIGKILL
    runner.conductor.begin(run_id)
    done = runner.finished(run_id)
    assert done.jobs["train"].reason == "expected accuracy >= 0.9, found 0.1"
    assert done.log("train").count("trained") == 1
    assert len(done.jobs["train"].annotations) == 1
    ended = [event for event in runner.ledger.events.after(0, run_id=run_id) if event.kind == "job.ended"]
    assert [event.job_key for event in ended] == ["train", "use"]
