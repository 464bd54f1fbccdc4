"""What failed is said once in each view: in the lines of a run, and in its summary."""

from __future__ import annotations

import io
from typing import Any

from unit.commands.test_run_view import job_record, run_record
from windlass_runner.commands.paint import Paint
from windlass_runner.commands.plain_progress import PlainProgress
from windlass_runner.commands.run_view import JobLine, RunView
from windlass_runner.commands.summary import render_summary
from windlass_runner.run.log_file import LogLine

REASON = "image 'x:1' is not available"
PLAIN = Paint(has_colour=False)


def failed(key: str, reason: str, **changes: Any) -> Any:
    return job_record(key, state="failure", reason=reason, attempt=1, started_at=1.0, ended_at=2.0, **changes)


def error_line(text: str) -> LogLine:
    return LogLine(offset=0, time=1.5, step="1", kind="error", text=text)


def summary(view: RunView, *tail: LogLine) -> str:
    return render_summary(view, paint=PLAIN, now=9.0, tail=tail)


def test_a_summary_says_once_why_the_first_job_failed_and_why_the_others_did() -> None:
    jobs = [failed("a", REASON), failed("b", "lost")]
    text = summary(RunView(run_record(state="failure"), jobs), error_line(REASON), error_line("beside"))
    assert text.count(REASON) == 1
    assert text.index("'a' failed first") < text.index(REASON)
    assert "lost" in next(line for line in text.splitlines() if " b " in line)
    assert "error: beside" in text


def test_the_table_of_a_run_that_goes_on_says_it() -> None:
    text = summary(RunView(run_record(state="running"), [failed("a", REASON), job_record("b")]))
    assert text.count(REASON) == 1


def test_each_problem_of_a_refused_file_has_a_line() -> None:
    reason = "w.yaml:1:2: one\nw.yaml:3:4: two"
    lines = summary(RunView(run_record(state="failure", reason=reason), [])).splitlines()
    assert lines[1:3] == ["  w.yaml:1:2: one", "  w.yaml:3:4: two"]


def told(reason: str, *texts: str) -> str:
    out = io.StringIO()
    view = RunView(run_record(state="failure"), [failed("a", reason)])
    lines = [JobLine(job_key="a", attempt=1, line=error_line(text)) for text in texts]
    PlainProgress(out, PLAIN).update(view, lines)
    return out.getvalue()


def test_plain_lines_say_why_unless_the_log_has_just_done_so() -> None:
    assert told(REASON, REASON).splitlines() == [f"a | error: {REASON}", "a | ✗ failure in 1.0s"]
    assert told("exit code 3", REASON).splitlines()[1] == "a | ✗ failure in 1.0s: exit code 3"
