"""The expectations of a check: what each job was to reach, what it reached, and what that means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from windlass_runner.run.check_markdown import and_more, code, escape, table
from windlass_runner.run.check_title import number_text
from windlass_runner.run.report import JobReport
from windlass_runner.run.verdicts import VERDICT_WORDS, Judged

_SHOWN: Final = 40
_NAME_LIMIT: Final = 60


def expectations_section(jobs: Sequence[JobReport]) -> str:
    """A table of them, the broken ones first; empty where nothing was expected."""
    every = [(job, one) for job in jobs for one in job.expectations]
    every.sort(key=lambda pair: not pair[1].is_broken)
    rows = [_row(job, one, with_job=len(jobs) > 1) for job, one in every[:_SHOWN]]
    if not rows:
        return ""
    heads = ("Job", "Metric", "Expected", "Found", "Base", "Verdict")
    return "### Expectations\n\n" + and_more(table(heads, rows, right=(3, 4)), len(every) - len(rows))


def _row(job: JobReport, one: Judged, *, with_job: bool) -> tuple[str, ...]:
    has_other_bound = one.base is not None and one.bound is not None
    return (
        escape(job.name, _NAME_LIMIT) if with_job else "",
        escape(one.metric, _NAME_LIMIT),
        code(one.condition, _NAME_LIMIT) + (f" ({number_text(one.bound or 0)})" if has_other_bound else ""),
        "" if one.found is None else f"**{number_text(one.found)}**",
        "" if one.base is None else f"{number_text(one.base)}, {escape(one.base_name, _NAME_LIMIT)}",
        f"{'❌' if one.is_broken else '✅'} {VERDICT_WORDS[one.verdict]}",
    )
