import re

from windlass_runner.run.check_comment import comment_text
from windlass_runner.run.check_evidence import BaseFigures, Evidence, JobEvidence
from windlass_runner.run.report import JobReport, OutputReport, RunReport, State

SHA = "1a2b3c4d" + "0" * 32


def run(workflow: str, state: State, *jobs: JobReport, reason: str | None = None) -> RunReport:
    return RunReport(
        workflow=workflow,
        path=f"{workflow}.yaml",
        state=state,
        run="r1",
        reason=reason,
        started=0.0,
        finished=80.0,
        jobs=jobs,
    )


TRAINED = JobReport(
    key="train",
    name="train",
    state="success",
    metrics={"loss": 0.25},
    outputs=(
        OutputReport(name="weights", type="artifact", url="https://ci.example.org/a?ends=1"),
        OutputReport(name="note", type="string", value="short"),
    ),
)


def test_it_says_how_each_workflow_stands_and_what_was_measured() -> None:
    base = BaseFigures(ref="main", sha="5e5e5e5e", metrics={"train": {"loss": 0.5}})
    course = JobEvidence(courses={"loss": (1.0, 0.25)}, plots={"loss": "https://ci.example.org/p"})
    text = comment_text(
        SHA,
        [
            (run("train", "success", TRAINED), Evidence(base=base, jobs={"train": course})),
            (
                run("docs", "failure", JobReport(key="a", name="a", state="failure", reason="exit 1")),
                Evidence(),
            ),
            (run("lint", "running", JobReport(key="a", name="a", state="running")), Evidence()),
            (run("deploy", "skipped", reason="no path of it changed"), Evidence()),
        ],
    )
    assert text == (
        "### Checks of <code>1a2b3c4</code>\n\n"
        "|  | Workflow | State |\n"
        "| :-- | :-- | :-- |\n"
        "| ✅ | train | succeeded in 1 min 20 s: loss 0.25 |\n"
        "| ❌ | docs | a failed: exit 1 |\n"
        "| 🔄 | lint | running |\n"
        "| ⏭️ | deploy | skipped: no path of it changed |\n\n"
        "**train**\n\n"
        "| Metric | Value | main (<code>5e5e5e5</code>) | Difference | Course |\n"
        "| :-- | --: | --: | :-- | :-- |\n"
        "| loss | **0.25** | 0.5 | ▼ −0.25 (−50 %) | <code>█▁</code> |\n\n"
        "[weights](<https://ci.example.org/a?ends=1>)"
    )


def test_what_happens_on_the_way_changes_nothing() -> None:
    early = run("train", "running", JobReport(key="a", name="a", state="running", started=0.0))
    late = run("train", "running", JobReport(key="a", name="a", state="success", metrics={"loss": 1.0}))
    assert comment_text(SHA, [(early, Evidence())]) == comment_text(SHA, [(late, Evidence())])


def test_nothing_of_a_strangers_text_breaks_out() -> None:
    nasty = "x\n<!-- windlass:checks -->\n/ok-to-test | @ada <img src=x> [a](http://b) `c` #1\n/retest"
    job = JobReport(
        key="train",
        name=nasty,
        state="failure",
        reason=nasty,
        metrics={nasty: 1.0},
        outputs=(OutputReport(name=nasty, type="artifact", url="https://ci.example.org/a"),),
    )
    text = comment_text(SHA, [(run(nasty, "failure", job, reason=nasty), Evidence())])
    assert "<!--" not in text
    assert "<img" not in text
    assert "[a]" not in text
    assert not re.search(r"@ada|#1\b|`", text.replace("&#", ""))
    assert not any(line.lstrip().startswith("/") for line in text.splitlines())


def test_of_very_many_the_first_are_shown() -> None:
    text = comment_text(SHA, [(run(f"w{number}", "success"), Evidence()) for number in range(40)])
    assert "| w29 |" in text
    assert "| w30 |" not in text
    assert "… and 10 more." in text
