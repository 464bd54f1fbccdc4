import json
import subprocess
import sys

import pytest

from windlass_runner.run.report import (
    JobReport,
    OutputReport,
    RemarkReport,
    RunReport,
    duration_text,
    note_text,
    overall_state,
    parse_note,
    render_status,
    to_note,
)

RUN = RunReport(
    workflow="train",
    path=".windlass/workflows/train.yaml",
    run="r-1",
    state="failure",
    started=100.0,
    finished=165.5,
    url="https://ci/r-1",
    jobs=(
        JobReport(key="prepare", name="prepare", state="success", started=100.0, finished=104.25),
        JobReport(
            key="train",
            name="train (2 GPUs)",
            state="failure",
            reason="exit code 3",
            attempt=2,
            started=105.0,
            finished=165.0,
            metrics={"loss": 0.25, "accuracy": 0.9731234567},
            outputs=(OutputReport(name="model", type="model", ref="digits:3", size_bytes=10),),
            remarks=(RemarkReport(level="error", message="no GPU", file="train.py", line=3),),
        ),
        JobReport(key="deploy", name="deploy", state="skipped"),
    ),
)


def test_a_note_holds_states_jobs_metrics_and_outputs() -> None:
    note = to_note([RUN], commit="c" * 40, updated=170.0)
    assert json.loads(note_text(note)) == note
    assert (note["state"], note["commit"]) == ("failure", "c" * 40)
    (workflow,) = json.loads(note_text(note))["workflows"]
    assert workflow["name"] == "train"
    assert workflow["duration_s"] == 65.5
    assert [job["state"] for job in workflow["jobs"]] == ["success", "failure", "skipped"]
    assert workflow["jobs"][0] == {
        "key": "prepare",
        "name": "prepare",
        "state": "success",
        "started": 100.0,
        "finished": 104.25,
        "duration_s": 4.25,
    }
    train = workflow["jobs"][1]
    assert train["metrics"] == {"accuracy": 0.9731234567, "loss": 0.25}
    assert train["outputs"] == [{"name": "model", "type": "model", "ref": "digits:3", "size_bytes": 10}]
    assert train["attempt"] == 2


def test_entries_of_other_workflows_are_kept_and_the_same_one_is_replaced() -> None:
    other = RunReport(workflow="lint", path="lint.yaml", state="success")
    first = to_note([RUN, other], commit="c", updated=1.0)
    again = RunReport(workflow="train", path=RUN.path, run="r-2", state="running")
    second = to_note([again], commit="c", updated=2.0, previous=first)
    workflows = json.loads(note_text(second))["workflows"]
    assert [(w["name"], w["state"]) for w in workflows] == [("train", "running"), ("lint", "success")]
    assert second["state"] == "running"


@pytest.mark.parametrize(
    ("states", "overall"),
    [
        ([], "success"),
        (["success", "skipped"], "success"),
        (["skipped"], "skipped"),
        (["success", "neutral"], "neutral"),
        (["failure", "timed_out", "success"], "failure"),
        (["failure", "queued"], "queued"),
        (["running", "queued"], "running"),
    ],
)
def test_one_word_for_several_states(states: list[str], overall: str) -> None:
    assert overall_state(states) == overall


@pytest.mark.parametrize("text", [None, "", "not JSON", "[]", '{"a": 1}', '{"workflows": 1}'])
def test_a_note_of_somebody_else_is_none_of_ours(text: str | None) -> None:
    assert parse_note(text) is None


def test_the_status_is_aligned_text() -> None:
    note = parse_note(note_text(to_note([RUN], commit="0123456789abcdef", updated=1.0)))
    assert note is not None
    assert render_status(note).splitlines() == [
        "0123456789ab  ✗ failure",
        "",
        "train  ✗ failure  1 min 6 s  run r-1",
        "  ✓ prepare         success  4.2 s",
        "  ✗ train (2 GPUs)  failure  1 min 0 s",
        "      exit code 3",
        "      error: train.py:3: no GPU",
        "      accuracy 0.973123  loss 0.25",
        "      model → digits:3",
        "  - deploy          skipped",
        "  https://ci/r-1",
    ]


def test_what_the_reason_says_is_not_said_again_by_annotations() -> None:
    problems = [("a.yaml", 4, "unknown action 'x'; did you mean 'y'?"), ("a.yaml", 7, "unknown key 'need'")]
    run = RunReport(
        workflow="w",
        path="a.yaml",
        state="failure",
        reason="\n".join(f"{file}:{line}:11: {message}" for file, line, message in problems),
        remarks=tuple(
            RemarkReport(level="error", message=message, file=file, line=line)
            for file, line, message in [*problems, ("b.yaml", 1, "something else")]
        ),
    )
    assert render_status(to_note([run], commit="c", updated=1.0)).splitlines()[3:] == [
        "  a.yaml:4:11: unknown action 'x'; did you mean 'y'?",
        "  a.yaml:7:11: unknown key 'need'",
        "  error: b.yaml:1: something else",
    ]


def test_an_empty_text_is_not_shown_as_an_output() -> None:
    job = JobReport(
        key="score",
        name="score",
        state="success",
        outputs=(
            OutputReport(name="forest", type="string", value=""),
            OutputReport(name="svm", type="string", value="0.9"),
        ),
    )
    run = RunReport(workflow="w", path="w.yaml", state="success", jobs=(job,))
    text = render_status(to_note([run], commit="c", updated=1.0))
    assert "svm → 0.9" in text
    assert "forest" not in text


def test_what_a_plan_noted_is_told_though_it_runs() -> None:
    run = RunReport(workflow="w", path="w.yaml", state="success", notes=("no lock", "yanked:\x1b[2J a@v1"))
    note = to_note([run], commit="c", updated=1.0)
    assert json.loads(note_text(note))["workflows"][0]["notes"] == list(run.notes)
    assert render_status(note).splitlines()[3:] == ["  note: no lock", "  note: yanked: [2J a@v1"]


def test_colours_are_only_where_they_are_asked_for() -> None:
    note = to_note([RUN], commit="c", updated=1.0)
    assert "\x1b[31m✗\x1b[0m" in render_status(note, has_colour=True)
    assert "\x1b" not in render_status(note)


@pytest.mark.parametrize(
    "note",
    [{}, {"workflows": [1, {}, {"jobs": [None, {}], "reason": "\x1b[2J", "notes": 3}]}, {"workflows": {}}],
)
def test_a_strange_note_neither_breaks_nor_steers_the_terminal(note: dict[str, object]) -> None:
    assert "\x1b" not in render_status(note)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (11400, "3 h 10 min")],
)
def test_time_spans_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_reporting_imports_nothing_heavy() -> None:
    code = "import sys, windlass_runner.run.report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "docker", "sqlalchemy", "rich", "jsonschema"} & set(done.stdout.split())
