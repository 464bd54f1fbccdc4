"""How a run or a job stands, in one line of plain text: the title of its check. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from windlass_runner.run.check_markdown import plain
from windlass_runner.run.report import UNFINISHED, JobReport, RunReport, duration_text

TITLE_LIMIT: Final = 140
_NAME_LIMIT: Final = 60
_FIGURES_SHOWN: Final = 3
BROKEN: Final = ("failure", "timed_out")


def run_title(run: RunReport, *, at: float) -> str:
    """Of a whole run."""
    failed = first_failed(run.jobs)
    match run.state:
        case "running":
            text = _progress(run.jobs, at)
        case "success":
            text = f"succeeded{_took(run)}{_figures(run.jobs)}"
        case "failure" | "timed_out" | "neutral" if failed is not None:
            others = sum(job.state in BROKEN for job in run.jobs) - (failed.state in BROKEN)
            text = _failed(failed) + (f" (and {others} more failed)" if others else "")
        case "failure" if not run.jobs:
            text = _refused(run)
        case _:
            text = _word(run.state, _took(run), run.reason)
    return plain(text, TITLE_LIMIT)


def job_title(job: JobReport, *, at: float) -> str:
    """Of one job."""
    match job.state:
        case "running":
            text = f"runs{_since(job, at)}"
        case "success":
            text = f"succeeded{_took(job)}{_figures((job,))}"
        case "failure" | "timed_out" | "neutral":
            text = _failed(job, name="")
        case _:
            text = _word(job.state, _took(job), job.reason)
    return plain(text, TITLE_LIMIT)


def first_failed(jobs: Sequence[JobReport]) -> JobReport | None:
    """The job whose failure ended first; one that was allowed to fail only where no other did."""
    found = [job for job in jobs if job.state in BROKEN] or [job for job in jobs if job.state == "neutral"]
    return min(found, key=lambda job: job.finished or float("inf"), default=None)


def number_text(value: float, *, digits: int = 6) -> str:
    """A figure in at most so many digits, with a minus that is as wide as a plus."""
    return f"{value:.{digits}g}".replace("-", "\u2212")


def _progress(jobs: Sequence[JobReport], at: float) -> str:
    done = sum(job.state not in UNFINISHED for job in jobs)
    parts = [f"{done} of {len(jobs)} jobs done"]
    if failed := sum(job.state in BROKEN for job in jobs):
        parts.append(f"{failed} failed")
    running = [job for job in jobs if job.state == "running"]
    if len(running) == 1:
        parts.append(f"{plain(running[0].name, _NAME_LIMIT)} runs{_since(running[0], at)}")
    elif running:
        parts.append(f"{plain(running[0].name, _NAME_LIMIT)} and {len(running) - 1} more run")
    return ", ".join(parts)


def _refused(run: RunReport) -> str:
    first, *others = (run.reason or "its file is wrong").splitlines()
    first = first.removeprefix(run.path.rpartition("/")[0] + "/")
    return f"cannot run: {first}" + (" (and more)" if others else "")


def _failed(job: JobReport, *, name: str | None = None) -> str:
    who = plain(job.name, _NAME_LIMIT) if name is None else name
    what = "timed out" if job.state == "timed_out" else "failed"
    what += ", which is allowed" if job.state == "neutral" else ""
    return f"{who} {what}".strip() + (f": {job.reason}" if job.reason else "")


def _word(state: str, took: str, reason: str | None) -> str:
    if state == "cancelled":
        why = reason or ""
        said = why if why.startswith("cancelled") else f"cancelled: {why}".removesuffix(": ")
        return f"{said} (after{took.removeprefix(' in')})" if took else said
    if state == "waiting" and reason and "waits " in reason:
        return reason
    word = "waits" if state == "waiting" else state.replace("_", " ")
    return word + (f": {reason}" if reason else "")


def _figures(jobs: Sequence[JobReport]) -> str:
    found = {name: value for job in jobs for name, value in sorted(job.metrics.items())}
    shown = [
        f"{plain(name, _NAME_LIMIT)} {number_text(found[name], digits=4)}"
        for name in list(found)[:_FIGURES_SHOWN]
    ]
    return f": {', '.join(shown)}" if shown else ""


def _took(timed: RunReport | JobReport) -> str:
    if timed.started is None or timed.finished is None:
        return ""
    return f" in {duration_text(max(timed.finished - timed.started, 0))}"


def _since(job: JobReport, at: float) -> str:
    """For how long, in whole units: the title is not renewed with every second."""
    if job.started is None:
        return ""
    seconds = max(at - job.started, 0)
    if seconds < 60:
        return ""
    return f" for {seconds // 60:.0f} min" if seconds < 3600 else f" for {duration_text(seconds)}"
