"""The metrics of a check: each figure beside the base's, with the way it took. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from windlass_runner.run.check_evidence import BaseFigures, Evidence
from windlass_runner.run.check_markdown import and_more, bars, code, escape, picture, table
from windlass_runner.run.check_title import number_text
from windlass_runner.run.report import JobReport

_FIGURES_SHOWN: Final = 40
_NAME_LIMIT: Final = 60
_PLOTS_SHOWN: Final = 8
_PLOT_WIDTH: Final = 400


def metrics_section(jobs: Sequence[JobReport], evidence: Evidence) -> str:
    """The table of the metrics, and pictures of how they went."""
    table_of_them = metrics_table(jobs, evidence)
    if not table_of_them:
        return ""
    return "\n\n".join(("### Metrics", table_of_them, *_plots(jobs, evidence)))


def metrics_table(jobs: Sequence[JobReport], evidence: Evidence) -> str:
    """Each figure with the base branch's, the difference, and its course. Whether more is better is
    not ours to say."""
    figures = {job.key: _latest(job, evidence) for job in jobs}
    has_names = sum(bool(found) for found in figures.values()) > 1
    every = [(job, name) for job in jobs for name in sorted(figures[job.key])]
    rows = [
        _figure(job, name, figures[job.key][name], evidence, with_job=has_names)
        for job, name in every[:_FIGURES_SHOWN]
    ]
    if not rows:
        return ""
    heads = ("Job", "Metric", "Value", _base_head(evidence.base), "Difference", "Course")
    return and_more(table(heads, rows, right=(2, 3)), len(every) - len(rows))


def _plots(jobs: Sequence[JobReport], evidence: Evidence) -> list[str]:
    """The first courses as pictures, two in a row where there is room."""
    shown = [
        picture(f"the course of {name}", address, width=_PLOT_WIDTH)
        for job in jobs
        for name, address in sorted(evidence.of(job.key).plots.items())
    ]
    return [" ".join(shown[:_PLOTS_SHOWN])] if shown else []


def _base_head(base: BaseFigures | None) -> str:
    return "" if base is None else f"{escape(base.ref, _NAME_LIMIT)} ({code(base.sha[:7])})"


def _latest(job: JobReport, evidence: Evidence) -> Mapping[str, float]:
    """Of a job that has ended its metrics; of one that runs what it wrote last."""
    courses = evidence.of(job.key).courses
    return job.metrics or {name: values[-1] for name, values in courses.items() if values}


def _figure(
    job: JobReport, name: str, value: float, evidence: Evidence, *, with_job: bool
) -> tuple[str, ...]:
    base = evidence.base.metrics.get(job.key, {}).get(name) if evidence.base is not None else None
    course = evidence.of(job.key).courses.get(name, ())
    return (
        escape(job.name, _NAME_LIMIT) if with_job else "",
        escape(name, _NAME_LIMIT),
        f"**{number_text(value)}**",
        "" if base is None else number_text(base),
        "" if base is None else _difference(value, base),
        f"<code>{bars(course)}</code>" if len(course) > 1 else "",
    )


def _difference(value: float, base: float) -> str:
    change = value - base
    if f"{value:.6g}" == f"{base:.6g}":
        return "= 0"
    share = f" ({_signed(change / abs(base) * 100)} %)" if base else ""
    return f"{'▲' if change > 0 else '▼'} {_signed(change)}{share}"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + f"{value:.3g}".replace("-", "\u2212")
