import re
from dataclasses import replace
from typing import Any

import pytest

from windlass_runner.forges.base import Check
from windlass_runner.plan.model import ActionPin
from windlass_runner.run.check_evidence import BaseFigures, Evidence, JobEvidence
from windlass_runner.run.check_report import to_checks
from windlass_runner.run.report import JobReport, OutputReport, RemarkReport, RunReport, State
from windlass_runner.run.verdicts import Judged

PATH = ".windlass/workflows/train.yaml"
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/workspace/train.py", line 4, in <module>',
    "ValueError: no",
)


def job(key: str, state: State = "success", **fields: Any) -> JobReport:
    return JobReport(**({"key": key, "name": key, "state": state} | fields))


def run(*jobs: JobReport, state: State = "success", **fields: Any) -> RunReport:
    known = {"workflow": "train", "path": PATH, "run": "r1", "started": 0.0}
    return RunReport(**(known | {"state": state, "jobs": jobs} | fields))


def check(report: RunReport, evidence: Evidence | None = None, *, at: float = 200.0) -> Check:
    (found,) = to_checks([(report, evidence or Evidence())], at=at)
    return found


FAILED = run(
    job("prepare", started=0.0, finished=4.0),
    job("late", "failure", started=0.0, finished=90.0, reason="exit code 9"),
    job("train", "failure", started=5.0, finished=17.0, attempt=2, reason="exit code 1"),
    job("deploy", "skipped", reason="a job that it needs has failed"),
    state="failure",
    finished=90.0,
)
MEASURED = run(
    job("train", started=0.0, finished=80.0, metrics={"accuracy": 0.97, "loss": 0.25, "epoch": 10.0}),
    finished=80.0,
)


@pytest.mark.parametrize(
    ("report", "title"),
    [
        (run(state="queued", started=None), "queued"),
        (run(state="waiting", reason="for an approval"), "waits: for an approval"),
        (
            run(job("a"), job("train", "running", started=70.0), job("c", "queued"), state="running"),
            "1 of 3 jobs done, train runs for 2 min",
        ),
        (
            run(
                job("a", "failure"),
                job("b", "running", started=190.0),
                job("c", "running", started=190.0),
                state="running",
            ),
            "1 of 3 jobs done, 1 failed, b and 1 more run",
        ),
        (MEASURED, "succeeded in 1 min 20 s: accuracy 0.97, epoch 10, loss 0.25"),
        (FAILED, "train failed: exit code 1 (and 1 more failed)"),
        (
            run(job("a", "timed_out", reason="ran longer than 5 minutes"), state="timed_out"),
            "a timed out: ran longer than 5 minutes",
        ),
        (
            run(job("lint", "neutral", reason="exit code 1"), job("b"), state="neutral"),
            "lint failed, which is allowed: exit code 1",
        ),
        (
            run(job("a", "cancelled"), state="cancelled", finished=20.0, reason="by ada"),
            "cancelled: by ada (after 20 s)",
        ),
        (run(state="cancelled", reason="cancelled by hand"), "cancelled by hand"),
        (run(state="cancelled", finished=1.0), "cancelled (after 1.0 s)"),
        (run(state="skipped", reason="no path matches"), "skipped: no path matches"),
        (
            run(state="failure", reason=f"{PATH}:3:1: unknown key 'jbos'\n{PATH}:4:1: more"),
            "cannot run: train.yaml:3:1: unknown key 'jbos' (and more)",
        ),
    ],
)
def test_a_title_says_how_it_stands(report: RunReport, title: str) -> None:
    assert check(report).title == title


def test_a_check_carries_the_state_and_the_times_of_its_run() -> None:
    found = check(replace(MEASURED, url="https://ci/r1"))
    assert (found.name, found.external_id, found.state) == ("windlass / train", "r1", "success")
    assert (found.started_at, found.completed_at, found.url) == (0.0, 80.0, "https://ci/r1")


@pytest.mark.parametrize(
    ("report", "buttons"),
    [
        (run(job("a", "queued"), state="queued"), ["cancel"]),
        (run(job("a", "running"), state="running"), ["cancel"]),
        (run(job("a", "queued"), state="waiting"), ["approve", "cancel"]),
        (run(job("a")), ["rerun"]),
        (run(job("a", "neutral"), state="neutral"), ["rerun", "rerun_failed"]),
        (FAILED, ["rerun", "rerun_failed"]),
        (run(state="failure"), ["rerun"]),
        (run(state="failure", run=None), []),
    ],
)
def test_the_buttons_are_what_can_be_done_now(report: RunReport, buttons: list[str]) -> None:
    actions = check(report).actions
    assert [action.identifier for action in actions] == buttons
    assert all(len(action.label) <= 20 and len(action.description) <= 40 for action in actions)


def test_a_summary_is_never_empty() -> None:
    found = to_checks(
        [(run(job("a", "skipped"), state="skipped", reason="no path matches"), Evidence())],
        at=0.0,
        each_job=True,
    )
    alone = check(run(state="skipped", reason="no path matches"))
    assert [one.summary for one in (found[1], alone)] == ["skipped", "skipped: no path matches"]


def test_each_job_has_a_check_of_its_own_where_that_is_set() -> None:
    evidence = Evidence(jobs={"train": JobEvidence(log_end=TRACEBACK)})
    whole, *jobs = to_checks([(FAILED, evidence)], at=99.0, each_job=True)
    assert [one.name for one in jobs] == [
        f"windlass / train / {name}" for name in ("prepare", "late", "train", "deploy")
    ]
    assert [one.state for one in jobs] == ["success", "failure", "failure", "skipped"]
    assert (jobs[2].title, jobs[3].title) == (
        "failed: exit code 1",
        "skipped: a job that it needs has failed",
    )
    assert [len(one.annotations) for one in (whole, *jobs)] == [0, 0, 0, 1, 0]
    assert all(one.external_id == "r1" and not one.actions for one in jobs)


def test_a_workflow_that_no_changed_path_needs_passes_where_that_is_set() -> None:
    unneeded = run(state="skipped", reason="paths [src/**] include none of the 1 file changed")
    all_skipped = run(job("a", "skipped"), state="skipped", path="other.yaml", workflow="other")
    runs = [(unneeded, Evidence()), (all_skipped, Evidence())]
    assert [one.state for one in to_checks(runs, at=9.0)] == ["skipped", "skipped"]
    passing, skipped = to_checks(runs, at=9.0, each_job=True, skipped_passes=True)[:2]
    assert (passing.state, passing.title) == ("success", f"skipped: {unneeded.reason}")
    assert (skipped.name, skipped.state) == ("windlass / other", "skipped")


def test_checks_of_one_name_say_where_they_come_from() -> None:
    first = run(job("a", name="same"), job("b", name="same"))
    second = replace(first, path=".windlass/workflows/other.yaml", jobs=())
    found = to_checks([(first, Evidence()), (second, Evidence())], at=0.0, each_job=True)
    assert [one.name for one in found] == [
        f"windlass / train ({PATH})",
        f"windlass / train / same ({PATH}: a)",
        f"windlass / train / same ({PATH}: b)",
        "windlass / train (.windlass/workflows/other.yaml)",
    ]


def test_what_failed_first_stands_first_with_the_end_of_its_log() -> None:
    lines = tuple(f"line {number}" for number in range(100))
    summary = check(FAILED, Evidence(jobs={"train": JobEvidence(log_end=(*lines, "", ""))})).summary
    heading, told, block, *_ = summary.split("\n\n")
    assert heading == "### ❌ train failed: exit code 1 (attempt 2)"
    assert told == "The last 30 lines of its log:"
    assert block.split("\n") == ["```text", *lines[-30:], "```"]


def test_the_job_table_has_states_times_attempts_and_reasons() -> None:
    assert (
        "|  | Job | State | Time | Attempts | Why |\n"
        "| :-- | :-- | :-- | --: | --: | :-- |\n"
        "| ✅ | prepare | success | 4.0 s |  |  |\n"
        "| ❌ | late | failure | 1 min 30 s |  | exit code 9 |\n"
        "| ❌ | train | failure | 12 s | 2 | exit code 1 |\n"
        "| ⏭️ | deploy | skipped |  |  | a job that it needs has failed |"
    ) in check(FAILED).summary


def test_metrics_stand_beside_those_of_the_base_with_difference_and_course() -> None:
    base = {"train": {"accuracy": 0.95, "loss": 0.5, "epoch": 10.0}, "other": {"loss": 1.0}}
    courses = {"loss": (2.0, 1.0, 0.25), "epoch": (10.0,)}
    evidence = Evidence(
        jobs={"train": JobEvidence(courses=courses)},
        base=BaseFigures(ref="main", sha="1a2b3c4d5e", metrics=base),
    )
    assert (
        "| Metric | Value | main (<code>1a2b3c4</code>) | Difference | Course |\n"
        "| :-- | --: | --: | :-- | :-- |\n"
        "| accuracy | **0.97** | 0.95 | ▲ +0.02 (+2.11 %) |  |\n"
        "| epoch | **10** | 10 | = 0 |  |\n"
        "| loss | **0.25** | 0.5 | ▼ −0.25 (−50 %) | <code>█▄▁</code> |"
    ) in check(MEASURED, evidence).summary


def test_courses_have_pictures_where_they_are_served() -> None:
    address = "https://ci.example.org/plots/r1/train/loss.svg?ends=9&signature=x"
    seen = JobEvidence(courses={"loss": (2.0, 0.25)}, plots={"loss": address})
    summary = check(MEASURED, Evidence(jobs={"train": seen})).summary
    shown = address.replace("&", "&amp;")
    assert f'| <code>█▁</code> |\n\n<img alt="the course of loss" src="{shown}" width="400">' in summary


def test_metrics_without_a_base_stand_alone() -> None:
    assert "| Metric | Value |\n| :-- | --: |\n| accuracy | **0.97** |" in check(MEASURED).summary


def test_a_job_that_runs_shows_what_it_measured_last() -> None:
    evidence = Evidence(jobs={"train": JobEvidence(courses={"loss": (2.0, 0.5)})})
    summary = check(run(job("train", "running", started=1.0), state="running"), evidence).summary
    assert "| loss | **0.5** | <code>█▁</code> |" in summary


def test_outputs_are_linked_or_named_by_path_and_digest() -> None:
    digest = "sha256:" + "ab" * 32
    outputs = (
        OutputReport(name="model", type="model", ref="digits:3", digest=digest, size_bytes=12_345_678),
        OutputReport(
            name="plot", type="artifact", url="https://ci/plot.png", path="/srv/plot", digest=digest
        ),
        OutputReport(name="log", type="artifact", path="/srv/log", digest=digest, size_bytes=999),
        OutputReport(name="word", type="string", value="good", digest=digest),
    )
    short = "<code>sha256:abababababab</code>"
    assert (
        "| Output | Type | Where | Size |\n"
        "| :-- | :-- | :-- | --: |\n"
        f"| model | model | <code>digits:3</code><br>{short} | 12.3 MB |\n"
        f"| [plot](<https://ci/plot.png>) | artifact | {short} |  |\n"
        f"| log | artifact | <code>/srv/log</code><br>{short} | 999 B |\n"
        "| word | string | <code>good</code> |  |"
    ) in check(run(job("train", outputs=outputs))).summary


def test_remarks_without_a_place_stand_in_the_summary_the_others_on_their_lines() -> None:
    remarks = (
        RemarkReport(level="warning", message="batch | size"),
        RemarkReport(level="notice", message="fine", file="a.py", line=3, end_line=5, title="T"),
        RemarkReport(level="error", message="bad", file="/etc/passwd", line=3),
    )
    found = check(run(job("train", remarks=remarks)))
    assert "### Remarks\n\n- ⚠️ batch &#124; size\n- ❌ bad" in found.summary
    (annotation,) = found.annotations
    assert (annotation.path, annotation.line, annotation.end_line) == ("a.py", 3, 5)
    assert (annotation.level, annotation.title) == ("notice", "T")


def test_security_notices_and_the_like_stand_below_the_jobs() -> None:
    notes = ("acme/train 1.0.0: security notice WN-00000000 (high, <1.1.0): <b>Logs</b> the token", "no lock")
    summary = check(run(job("a")), Evidence(notes=notes)).summary
    jobs, _, told = summary.partition("### To know\n\n")
    assert "| a |" in jobs
    assert told.startswith("- ⚠️ acme/train 1.0.0: security notice WN-00000000")
    assert "<b>" not in told
    assert "To know" not in check(run(job("a"))).summary


def test_a_remark_of_the_job_is_not_repeated_from_its_traceback() -> None:
    remark = RemarkReport(level="error", message="told already", file="train.py", line=4)
    report = run(job("train", "failure", remarks=(remark,)), state="failure")
    found = check(report, Evidence(jobs={"train": JobEvidence(log_end=TRACEBACK)}))
    assert [one.message for one in found.annotations] == ["told already"]


def test_a_refused_file_is_annotated_at_each_problem() -> None:
    remarks = (
        RemarkReport(level="warning", message="no lock", file=PATH),
        RemarkReport(level="error", message="unknown key 'jbos'", file=PATH, line=3, column=7),
    )
    found = check(run(state="failure", reason="it is wrong", remarks=remarks))
    assert [(one.level, one.line, one.column) for one in found.annotations] == [
        ("failure", 3, 7),
        ("warning", 1, None),
    ]
    assert f"| ❌ | <code>{PATH}:3:7</code> | unknown key 'jbos' |" in found.summary


def test_what_ran_is_folded_and_before_what_the_jobs_wrote() -> None:
    digest = "sha256:" + "ab" * 32
    pin = ActionPin(uses="train@v1", name="train", version="1.4.0", digest=digest, source="registry")
    evidence = Evidence(
        jobs={
            "train": JobEvidence(images={"a/b:1": digest}, host="box", summary="# Done\n\n```\nopen"),
            "other": JobEvidence(images={"a/b:1": digest}, host="box"),
        },
        ref="refs/heads/main",
        reason="push to main",
        actions=(pin,),
    )
    text = check(run(job("train"), job("other")), evidence).text
    assert text.startswith("<details><summary>What ran</summary>\n\n- Workflow: <code>")
    assert f"| <code>train</code> | 1.4.0 | <code>{digest}</code> |" in text
    assert f"| train, other | <code>a/b:1</code><br><code>{digest}</code> | box |" in text
    assert text.endswith("</details>\n\n### Summary of train\n\n# Done\n\n```\nopen\n```")


NASTY = "|`*_[x](https://evil.example)<img src=x onerror=alert(1)>@team #1 \u202e\n\n# head" * 20


def nasty_job(number: int) -> JobReport:
    return JobReport(
        key=f"{number}{NASTY}",
        name=f"{number}{NASTY}",
        state="failure" if number > 900 else "success",
        reason=NASTY,
        attempt=9,
        started=1.0,
        finished=float(2000 - number),
        metrics={f"{NASTY}{name}": 1.5 for name in range(50)},
        outputs=tuple(OutputReport(name=NASTY, type="artifact", path=NASTY, digest=NASTY) for _ in range(50)),
        remarks=(RemarkReport(level="error", message=NASTY, title=NASTY),) * 50,
    )


def nasty_evidence(jobs: tuple[JobReport, ...]) -> Evidence:
    one = JobEvidence(log_end=(NASTY,) * 50, summary=NASTY * 500, images={NASTY: NASTY}, host=NASTY)
    pins = tuple(
        ActionPin(uses=NASTY, name=NASTY, version=NASTY, digest=NASTY, source=NASTY) for _ in range(200)
    )
    base = BaseFigures(ref=NASTY, sha=NASTY, metrics={jobs[0].key: dict.fromkeys(jobs[0].metrics, 1.0)})
    return Evidence(jobs={job.key: one for job in jobs}, base=base, ref=NASTY, reason=NASTY, actions=pins)


def test_however_much_there_is_it_stays_below_what_a_forge_takes_and_keeps_what_failed() -> None:
    jobs = tuple(nasty_job(number) for number in range(1000))
    report = run(*jobs, state="failure", workflow=NASTY)
    (found,) = to_checks([(report, nasty_evidence(jobs))], at=9.0)
    assert len(found.summary.encode()) < 65_535
    assert len(found.text.encode()) < 65_535
    assert "### Summary of 0" in found.text
    assert len(found.title) <= 140
    assert found.summary.startswith("### ❌ 999")
    assert "… and 940 more." in found.summary
    assert all(f"| ❌ | {number}" in found.summary for number in range(901, 961))


def test_nothing_of_a_strangers_text_is_markup_a_mention_or_a_link() -> None:
    jobs = (nasty_job(950),)
    report = run(*jobs, state="failure", workflow=NASTY)
    evidence = nasty_evidence(jobs)
    quiet = Evidence(
        jobs={jobs[0].key: JobEvidence(images={NASTY: NASTY}, host=NASTY)},
        base=evidence.base,
        ref=NASTY,
        reason=NASTY,
        actions=evidence.actions,
    )
    (found,) = to_checks([(report, quiet)], at=9.0)
    for shown in (found.summary, found.text):
        assert not re.search(r"<img|\]\(h|://|@\w|#\d(?!\d*;)|^# ", shown, re.MULTILINE)


def test_what_was_expected_stands_in_a_table_with_what_was_found() -> None:
    judged = (
        Judged(metric="rmse", condition="<= 60", verdict="holds", found=55.0, bound=60.0),
        Judged(
            metric="accuracy",
            condition=">= base - 0.5%",
            verdict="broken",
            found=0.5,
            bound=0.84575,
            base=0.85,
            base_name="main (1a2b3c4)",
        ),
        Judged(metric="f1", condition="> base", verdict="no base", found=0.3),
        Judged(metric="recall", condition="> 0", verdict="not reported"),
    )
    reason = "expected accuracy >= base - 0.5% (0.84575: base 0.85 of main (1a2b3c4)), found 0.5 (and 1 more)"
    found = check(run(job("train", "failure", expectations=judged, reason=reason), state="failure"))
    assert found.title == f"train failed: {reason}"[:140]
    table = found.summary.partition("### Expectations\n\n")[2].split("\n\n")[0].replace("&#62;", ">")
    assert table.split("\n")[0] == "| Metric | Expected | Found | Base | Verdict |"
    assert [re.sub("<.?code>", "", line) for line in table.split("\n")[2:]] == [
        "| accuracy | >= base - 0.5% (0.84575) | **0.5** | 0.85, main (1a2b3c4) | ❌ broken |",
        "| recall | > 0 |  |  | ❌ never reported |",
        "| rmse | &#60;= 60 | **55** |  | ✅ holds |",
        "| f1 | > base | **0.3** |  | ✅ holds: no base yet |",
    ]
