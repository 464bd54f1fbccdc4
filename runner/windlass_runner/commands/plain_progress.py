"""Progress as plain lines, `job | text`: for pipes, files, other programs, and `logs -f`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from windlass_runner.commands.paint import Paint, duration, tame
from windlass_runner.commands.run_view import JobLine, JobView, RunView
from windlass_runner.ledger.records import State
from windlass_runner.run.log_file import LogLine

_JOB_TINTS = ("cyan", "magenta", "blue", "green", "yellow")


class PlainProgress:
    """A `Display` that writes each line once. `with_states`: also when jobs start and end."""

    def __init__(
        self, out: TextIO, paint: Paint, *, with_states: bool = True, with_names: bool = True
    ) -> None:
        self._out = out
        self._paint = paint
        self._with_states = with_states
        self._with_names = with_names
        self._shown: dict[str, tuple[State, int]] = {}
        self._width = 0
        self._numbers: dict[str, int] = {}
        self._errors: dict[str, str] = {}
        """The last error in each job's log."""

    def update(self, view: RunView, lines: Sequence[JobLine]) -> None:
        changed: Iterable[str] = view.news
        if len(view.jobs) != len(self._numbers):
            changed = view.jobs
            self._numbers = {key: number for number, key in enumerate(view.jobs)}
            self._width = max((min(len(job.name), 24) for job in view.jobs.values()), default=0)
        by_job: dict[str, list[LogLine]] = {}
        for item in lines:
            by_job.setdefault(item.job_key, []).append(item.line)
        for job in self._in_order(view, changed, by_job):
            self._tell(job, by_job.get(job.key, ()))
        self._out.flush()

    def _in_order(self, view: RunView, changed: Iterable[str], by_job: Mapping[str, object]) -> list[JobView]:
        """The jobs of which there is news: those that ended first, in the order in which they did."""
        jobs = [view.jobs[key] for key in {*changed, *by_job}]
        news = [
            job for job in jobs if job.key in by_job or self._shown.get(job.key) != (job.state, job.attempt)
        ]
        return sorted(news, key=lambda job: (not job.is_final, job.ended_at or 0.0, self._numbers[job.key]))

    def _tell(self, job: JobView, lines: Sequence[LogLine]) -> None:
        before = self._shown.get(job.key, ("queued", 0))
        self._shown[job.key] = (job.state, job.attempt)
        if self._with_states and job.attempt != before[1] and not job.is_final:
            self._say(job, f"started{_attempt(job)}", "dim")
        for line in lines:
            if line.kind == "error":
                self._errors[job.key] = line.text
            text = line_text(line, self._paint)
            if text is not None:
                self._out.write(f"{self._prefix(job)}{text}\n")
        is_told = job.is_final or (job.state != "running" and job.reason)
        if self._with_states and is_told and before != (job.state, job.attempt):
            self._say(job, _ending(job, is_told=self._errors.get(job.key) == job.reason), "")

    def close(self, view: RunView) -> None:
        self._out.flush()

    def _say(self, job: JobView, text: str, style: str) -> None:
        mark = self._paint.mark(job.state)
        shown = self._paint(text, style) if style else self._paint.state(job.state, text=text)
        self._out.write(f"{self._prefix(job)}{mark} {shown}\n")

    def _prefix(self, job: JobView) -> str:
        if not self._with_names:
            return ""
        name = tame(job.name).ljust(self._width)
        return f"{self._paint(name, _JOB_TINTS[self._numbers[job.key] % len(_JOB_TINTS)])} | "


def line_text(line: LogLine, paint: Paint) -> str | None:
    """A log line as people see it; None for what only programs need."""
    text = tame(line.text, keep_colours=paint.has_colour)
    match line.kind:
        case "endgroup" | "debug":
            return None
        case "group":
            return paint(f"▾ {text}", "bold")
        case "error":
            return paint(f"error: {text}", "red")
        case "warning":
            return paint(f"warning: {text}", "yellow")
        case "notice":
            return paint(f"notice: {text}", "blue")
        case "system" | "cut":
            return paint(text, "dim")
        case _:
            return text


def _attempt(job: JobView) -> str:
    return f" (attempt {job.attempt})" if job.attempt > 1 else ""


def _ending(job: JobView, *, is_told: bool) -> str:
    """How a job ended; why, unless its log has just said that."""
    took = duration(job.duration_s(job.ended_at or 0.0)) if job.started_at and job.ended_at else ""
    words = f"{job.state.replace('_', ' ')}{f' in {took}' if took else ''}"
    return f"{words}: {tame(job.reason)}" if job.reason and not is_told else words
