"""What is said of a run when it has ended, and by `show`: its jobs, what came of them, what failed first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from windlass_runner.commands.paint import Paint, duration, size, tame
from windlass_runner.commands.plain_progress import line_text
from windlass_runner.commands.run_view import JobView, RunView, sparkline
from windlass_runner.run.log_file import LogLine
from windlass_runner.run.verdicts import VERDICT_WORDS, Judged, expected

LINES_OF_FAILURE: Final = 15
_MOST_JOBS: Final = 60
_NOTHING_EXPECTED: Final[Mapping[str, Sequence[Judged]]] = MappingProxyType({})


Shorten = Callable[[str], str]


def render_summary(
    view: RunView,
    *,
    paint: Paint,
    now: float,
    tail: Sequence[LogLine] = (),
    shorten: Shorten = str,
    images: Sequence[tuple[str, str]] = (),
    judged: Mapping[str, Sequence[Judged]] = _NOTHING_EXPECTED,
) -> str:
    """The whole summary. `tail`: the last lines of the job that failed first; `shorten`: how a path
    is shown; `images`: names of images, each with the digest of what ran; `judged`: what was expected of
    jobs, by their keys."""
    run = view.run
    took = duration((run.ended_at or now) - run.started_at) if run.started_at is not None else ""
    head = f"{paint.mark(view.state)} {paint(tame(run.name), 'bold')} #{run.number}"
    lines = [f"{head}  {paint.state(view.state, text=view.state.replace('_', ' '))}  {took}".rstrip()]
    lines += [f"  {tame(line)}" for line in view.reason.split("\n") if line]
    failed = view.jobs.get(view.failed_first or "") if view.is_final else None
    lines += _jobs(view, paint, now, shorten, told_below=failed, judged=judged)
    if failed is not None:
        lines += _failure(failed, tail, paint)
    lines += [paint(f"image {tame(name)} → {tame(digest)}", "dim") for name, digest in images]
    lines.append(paint(f"run {run.id}", "dim"))
    return "\n".join(lines) + "\n"


def _jobs(
    view: RunView,
    paint: Paint,
    now: float,
    shorten: Shorten,
    *,
    told_below: JobView | None,
    judged: Mapping[str, Sequence[Judged]],
) -> Iterator[str]:
    jobs = list(view.jobs.values())
    shown = jobs if len(jobs) <= _MOST_JOBS else [job for job in jobs if job.state != "success"][:_MOST_JOBS]
    width = max((len(job.name) for job in shown), default=0)
    for job in shown:
        took = duration(job.duration_s(now))
        attempts = f"  attempt {job.attempt}" if job.attempt > 1 else ""
        state = paint.state(job.state, text=f"{job.state.replace('_', ' '):<9}")
        is_told_here = job is not told_below or job.reason == _exit_code(job)
        reason = f"  {paint(tame(job.reason), 'dim')}" if job.reason and is_told_here else ""
        yield f"  {paint.mark(job.state)} {tame(job.name):<{width}}  {state} {took:>7}{attempts}{reason}"
        yield from (f"      {line}" for line in _results(job, paint, shorten, judged.get(job.key, ())))
    if len(shown) < len(jobs):
        yield paint(f"  … and {len(jobs) - len(shown)} more jobs", "dim")


def _results(job: JobView, paint: Paint, shorten: Shorten, judged: Sequence[Judged]) -> Iterator[str]:
    yield from (tame(answer) for answer in job.answers)
    if job.record is None:
        return
    for name, value in job.record.metrics.items():
        curve = sparkline(job.metrics.get(name, ()))
        yield f"{paint(tame(name), 'cyan')} {metric_text(value)}  {paint(curve, 'dim')}".rstrip()
    for one in judged:
        if not one.is_broken:  # else it stands among the annotations
            yield _expectation(one, paint)
    for name, output in job.record.outputs.items():
        if text := output_text(output, shorten):
            yield f"{tame(name)} {paint('→', 'dim')} {text}"
    for note in job.record.annotations:
        yield _annotation(note, paint)


def metric_text(value: Any) -> str:
    """A metric's last value, and its range where it had several."""
    if not isinstance(value, dict):
        return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
    last, least, greatest = value.get("last"), value.get("least"), value.get("greatest")
    text = f"{last:.6g}" if isinstance(last, (int, float)) else str(last)
    is_span = isinstance(least, (int, float)) and isinstance(greatest, (int, float)) and least != greatest
    return f"{text} ({least:.4g} … {greatest:.4g})" if is_span else text


def output_text(output: Any, shorten: Shorten = str) -> str:
    """Where an output lies, or the text that it is."""
    if not isinstance(output, dict):
        return tame(str(output))
    if output.get("text") is not None:
        return tame(" ".join(str(output["text"]).split()))[:200]
    place = tame(str(output.get("ref") or shorten(str(output.get("path") or ""))))
    count = output.get("size_bytes")
    return f"{place}  ({size(count)})" if isinstance(count, (int, float)) else place


def _expectation(one: Judged, paint: Paint) -> str:
    text = tame(f"{one.metric} {expected(one)}")
    return f"{paint('✓', 'green')} expected {text}: {VERDICT_WORDS[one.verdict]}"


def _annotation(note: Any, paint: Paint) -> str:
    if not isinstance(note, dict):
        return tame(str(note))
    level = str(note.get("level", "notice"))
    place = f"{note['file']}:{note.get('line') or 1}: " if note.get("file") else ""
    tint = {"error": "red", "warning": "yellow"}.get(level, "blue")
    return f"{paint(level, tint)}: {tame(place + str(note.get('message', '')))}"


def _failure(job: JobView, tail: Sequence[LogLine], paint: Paint) -> Iterator[str]:
    yield ""
    code = f" ({_exit_code(job)})" if job.exit_code else ""
    yield paint(f"'{tame(job.name)}' failed first{code}", "bold", "red")
    if job.reason and job.reason != _exit_code(job):
        yield f"  {tame(job.reason)}"
    said = [line for line in tail if line.text != job.reason]
    texts = [text for line in said if (text := line_text(line, paint)) is not None]
    yield from (f"  {paint('│', 'red')} {text}" for text in texts[-LINES_OF_FAILURE:])
    yield ""


def _exit_code(job: JobView) -> str:
    return f"exit code {job.exit_code}"
