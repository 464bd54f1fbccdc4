"""What checks show of jobs that wait for people: buttons, what to do, who did."""

from __future__ import annotations

from dataclasses import replace

from windlass_runner.forges.github.checks import to_body
from windlass_runner.ledger.gate_records import Answer, Gate
from windlass_runner.run.answers import mark_of, marked_jobs
from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.check_report import to_checks
from windlass_runner.run.report import JobReport, RunReport, to_note

GATE = Gate(
    job_key="deploy", environment="production", approvers=("ada",), opened_at=1, not_before=1, ends_at=9
)
WAITS = JobReport(
    key="deploy", name="Deploy", state="waiting", reason="waits for approval of production", gate=GATE
)
RUN = RunReport(
    workflow="ci",
    path=".windlass/workflows/ci.yaml",
    run="r1",
    state="waiting",
    reason="deploy waits for approval of production by ada",
    started=1.0,
    jobs=(JobReport(key="build", name="build", state="success"), WAITS),
)


def test_a_check_of_a_run_that_waits_has_a_button_for_each_answer() -> None:
    (check,) = to_checks([(RUN, Evidence())], at=5.0)
    body = to_body(check)
    assert (body["status"], body["conclusion"]) == ("completed", "action_required")
    assert body["output"]["title"] == "deploy waits for approval of production by ada"
    mark = mark_of(["deploy"])
    assert [(one["label"], one["identifier"]) for one in body["actions"]] == [
        ("Approve production", f"approve_job:{mark}"),
        ("Reject production", f"reject_job:{mark}"),
        ("Cancel", "cancel"),
    ]
    assert all(len(one["identifier"]) <= 20 and len(one["label"]) <= 20 for one in body["actions"])
    assert "<code>/approve production</code>" in check.summary
    assert "<code>windlass approve r1 production</code>" in check.summary


def test_whose_answer_does_not_count_stands_beside_the_job_that_waits() -> None:
    refused = replace(WAITS, refusals=("approved by mona (button) does not count: <b> ask ada",))
    (check,) = to_checks([(replace(RUN, jobs=(refused,)), Evidence())], at=5.0)
    assert "\n  - approved by mona (button) does not count: &#60;b&#62; ask ada" in check.summary


def test_while_other_jobs_run_the_buttons_are_there_too() -> None:
    other = replace(WAITS, key="other", name="other", gate=replace(GATE, environment="a very long name"))
    run = replace(RUN, state="running", jobs=(*RUN.jobs, other))
    whole, _build, first, second = to_checks([(run, Evidence())], at=5.0, each_job=True)
    assert whole.state == "running"
    assert [action.label for action in whole.actions] == ["Approve 2 jobs", "Reject 2 jobs", "Cancel"]
    assert [action.label for action in second.actions] == ["Approve", "Reject"]
    assert first.actions[0].mark == mark_of(["deploy"])


def test_a_button_is_about_the_jobs_that_waited_when_it_was_shown() -> None:
    assert marked_jobs(mark_of(["a", "b"]), ["b", "a"]) == ("b", "a")
    assert marked_jobs(mark_of(["a"]), ["b", "a"]) == ("a",)
    assert marked_jobs(mark_of(["a", "b"]), ["a", "b", "c"]) == ()


def test_who_approved_stands_in_the_check_and_in_the_note() -> None:
    answer = Answer(actor="ada", is_approval=True, comment="go <b>", via="button", at=86_400.0)
    job = replace(WAITS, state="success", reason=None, gate=replace(GATE, answers=(answer,)))
    run = replace(RUN, state="success", reason=None, jobs=(job,))
    (check,) = to_checks([(run, Evidence())], at=5.0)
    assert "approved by ada: go &#60;b&#62;" in check.text
    assert "1970-01-02 00:00:00 UTC" in check.text
    note = to_note([run], commit="c" * 40, updated=5.0)
    assert note["workflows"][0]["jobs"][0]["answers"] == [  # type: ignore[index]
        {"actor": "ada", "answer": "approved", "comment": "go <b>", "at": 86_400.0}
    ]
