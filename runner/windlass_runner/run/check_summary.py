"""The Markdown of a check: what people want to know first stands first. Pure.

Every part is bounded, so that the whole stays below what a forge takes (GitHub: 65,535 characters for
the summary, and as many for the text) whatever a workflow is like; what is most useful is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from windlass_runner.run.check_annotations import without_place
from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.check_expectations import expectations_section
from windlass_runner.run.check_gates import answers_table, how_to_answer
from windlass_runner.run.check_markdown import (
    and_more,
    authored,
    code,
    escape,
    fenced,
    folded,
    link,
    table,
)
from windlass_runner.run.check_metrics import metrics_section
from windlass_runner.run.check_title import BROKEN, first_failed, job_title, run_title
from windlass_runner.run.report import (
    UNFINISHED,
    JobReport,
    OutputReport,
    RemarkReport,
    RunReport,
    duration_text,
)

_LIMIT: Final = 64_000
"""Bytes of UTF-8, which is how GitHub counts characters."""
LOG_LINES_SHOWN: Final = 30
_LOG_LINE_LIMIT: Final = 240
_JOBS_SHOWN: Final = 60
_OUTPUTS_SHOWN: Final = 30
_REMARKS_SHOWN: Final = 15
_NAME_LIMIT: Final = 60
_REASON_LIMIT: Final = 160
_PINS_SHOWN: Final = 40
_SUMMARY_OF_JOB_LIMIT: Final = 15_000

STATE_MARKS: Final = {
    "success": "✅",
    "failure": "❌",
    "timed_out": "⏱️",
    "cancelled": "🚫",
    "skipped": "⏭️",
    "neutral": "⚠️",
    "running": "🔄",
    "queued": "⏳",
    "waiting": "✋",
}
_STATE_WORDS: Final = {"timed_out": "timed out", "neutral": "failed, which is allowed"}
_LEVEL_MARKS: Final = {"error": "❌", "warning": "⚠️"}


def run_summary(run: RunReport, evidence: Evidence, *, at: float) -> str:
    """What failed first, the jobs, the metrics, the outputs. Never empty: a forge may ask for it."""
    sections = [
        _stands(run),
        _failure(first_failed(run.jobs), evidence, at=at, named=True),
        _problems(run.remarks),
        _jobs(run.jobs, at=at),
        _notes(evidence.notes),
        _remarks(run.jobs),
        expectations_section(run.jobs),
        metrics_section(run.jobs, evidence),
        _outputs(run.jobs),
    ]
    return _joined(sections) or escape(run_title(run, at=at))


def job_summary(job: JobReport, evidence: Evidence, *, at: float) -> str:
    """The same of one job."""
    failed = job if job.state in (*BROKEN, "neutral") else None
    sections = [
        how_to_answer((job,), None),
        _failure(failed, evidence, at=at, named=False),
        _remarks((job,)),
        expectations_section((job,)),
        metrics_section((job,), evidence),
        _outputs((job,)),
    ]
    return _joined(sections) or escape(job_title(job, at=at))


def run_text(run: RunReport, jobs: Sequence[JobReport], evidence: Evidence) -> str:
    """What ran, folded; then what the jobs themselves have to say (their summaries)."""
    return _joined([_what_ran(run, jobs, evidence), *_summaries(jobs, evidence)])


def _joined(sections: Iterable[str]) -> str:
    """As many of them as there is room for, the first ones first."""
    kept: list[str] = []
    room = _LIMIT
    for section in sections:
        size = len(section.encode())
        if section and size < room:
            kept.append(section)
            room -= size + 2
    return "\n\n".join(kept)


def _stands(run: RunReport) -> str:
    """Why it is not further, where the reason is for people to act on."""
    if waiting := how_to_answer(run.jobs, run.run):
        return waiting
    if run.state == "waiting" and run.reason:
        return f"{STATE_MARKS['waiting']} **It waits**: {escape(run.reason, 400)}"
    return ""


def _failure(job: JobReport | None, evidence: Evidence, *, at: float, named: bool) -> str:
    if job is None:
        return ""
    title = f"{job.name} {job_title(job, at=at)}" if named else job_title(job, at=at)
    tries = f" (attempt {job.attempt})" if job.attempt > 1 else ""
    heading = f"### {STATE_MARKS[job.state]} {escape(title)}{tries}"
    lines = _end(evidence.of(job.key).log_end)
    if not lines:
        return heading
    told = f"The last {len(lines)} lines of its log:" if len(lines) > 1 else "The last line of its log:"
    return f"{heading}\n\n{told}\n\n{fenced(lines, line_limit=_LOG_LINE_LIMIT)}"


def _end(lines: Sequence[str]) -> Sequence[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept[-LOG_LINES_SHOWN:]


def _problems(remarks: Sequence[RemarkReport]) -> str:
    if not remarks:
        return ""
    rows = [
        (_LEVEL_MARKS.get(one.level, ""), code(_place(one), 120), escape(one.message, 400))
        for one in remarks[:_REMARKS_SHOWN]
    ]
    return "### What is wrong with the workflow file\n\n" + and_more(
        table(("", "Place", "Problem"), rows), len(remarks) - len(rows)
    )


def _notes(notes: Sequence[str]) -> str:
    """What does not keep it from running: security notices of what it uses, and the like."""
    if not notes:
        return ""
    shown = [f"- {_LEVEL_MARKS['warning']} {escape(note, 400)}" for note in notes[:_REMARKS_SHOWN]]
    return "### To know\n\n" + and_more("\n".join(shown), len(notes) - len(shown))


def _place(remark: RemarkReport) -> str:
    numbers = [str(number) for number in (remark.line, remark.column) if number]
    return ":".join([remark.file or "", *numbers])


def _jobs(jobs: Sequence[JobReport], *, at: float) -> str:
    """All jobs in their order; of very many those that need eyes, and the first of the others."""
    if not jobs:
        return ""
    shown = jobs
    if len(jobs) > _JOBS_SHOWN:
        urgent = sorted(range(len(jobs)), key=lambda index: (_urgency(jobs[index]), index))
        shown = [jobs[index] for index in sorted(urgent[:_JOBS_SHOWN])]
    rows = [
        (
            STATE_MARKS[job.state],
            link(job.name[:_NAME_LIMIT], job.url),
            _STATE_WORDS.get(job.state, job.state),
            _duration(job, at),
            str(job.attempt) if job.attempt > 1 else "",
            escape(job.reason or "", _REASON_LIMIT),
        )
        for job in shown
    ]
    heads = ("", "Job", "State", "Time", "Attempts", "Why")
    return "### Jobs\n\n" + and_more(table(heads, rows, right=(3, 4)), len(jobs) - len(rows))


def _urgency(job: JobReport) -> int:
    return (
        0 if job.state in BROKEN else 1 if job.state in ("running", "waiting", "neutral", "cancelled") else 2
    )


def _duration(job: JobReport, at: float) -> str:
    if job.started is None:
        return ""
    end = at if job.state in UNFINISHED else job.finished
    return "" if end is None else duration_text(max(end - job.started, 0))


def _remarks(jobs: Sequence[JobReport]) -> str:
    """Remarks that are about no line of a file; the others are annotations."""
    found = [(job, remark) for job in jobs for remark in without_place(job.remarks)]
    has_names = len(jobs) > 1
    lines = [
        f"- {_LEVEL_MARKS.get(remark.level, '💬')} "
        + (f"{escape(job.name, _NAME_LIMIT)}: " if has_names else "")
        + (f"**{escape(remark.title)}**: " if remark.title else "")
        + escape(remark.message, 400)
        for job, remark in found[:_REMARKS_SHOWN]
    ]
    return "### Remarks\n\n" + and_more("\n".join(lines), len(found) - len(lines)) if lines else ""


def _outputs(jobs: Sequence[JobReport]) -> str:
    every = [(job, output) for job in jobs for output in job.outputs]
    rows = [
        (
            link(output.name[:_NAME_LIMIT], output.url),
            escape(output.type, 20),
            escape(job.name, _NAME_LIMIT) if len(jobs) > 1 else "",
            _where(output),
            _size(output.size_bytes),
        )
        for job, output in every[:_OUTPUTS_SHOWN]
    ]
    if not rows:
        return ""
    heads = ("Output", "Type", "Job", "Where", "Size")
    return "### Outputs\n\n" + and_more(table(heads, rows, right=(4,)), len(every) - len(rows))


def _where(output: OutputReport) -> str:
    """A version by its name, a text by itself, files by the digest of what is in them."""
    found = output.ref or output.value or (None if output.url else output.path)
    parts = [code(found, 120)] if found else []
    if output.digest and output.value is None:
        parts.append(code(_short(output.digest)))
    return "<br>".join(parts)


def _short(digest: str) -> str:
    algorithm, colon, letters = digest.rpartition(":")
    return f"{algorithm}{colon}{letters[:12]}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    size, units = float(size_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}" if size < 1000 else f"{size:.0f} {units[0]}"


def _what_ran(run: RunReport, jobs: Sequence[JobReport], evidence: Evidence) -> str:
    facts = [("Workflow", code(run.path)), ("Run", code(run.run) if run.run else "")]
    facts += [
        ("Ref", code(evidence.ref) if evidence.ref else ""),
        ("Because", escape(evidence.reason) if jobs else ""),
    ]
    parts = ["\n".join(f"- {name}: {fact}" for name, fact in facts if fact)]
    pins = [
        (code(pin.name, _NAME_LIMIT), escape(pin.version or "", _NAME_LIMIT), code(pin.digest, 100))
        for pin in evidence.actions[:_PINS_SHOWN]
    ]
    if pins:
        parts.append(table(("Action", "Version", "Digest"), pins))
    users: dict[tuple[str, str, str], list[str]] = {}
    for job in jobs:
        seen = evidence.of(job.key)
        for image, digest in (seen.images or {"": ""}).items():
            users.setdefault((image, digest, seen.host), []).append(job.name)
    places = [place for place in users if any(place)][:_PINS_SHOWN]
    if places:
        rows = [
            (
                escape(", ".join(users[image, digest, host]), 120),
                "<br>".join(code(part, 120) for part in (image, digest) if part),
                escape(host, _NAME_LIMIT),
            )
            for image, digest, host in places
        ]
        parts.append(table(("Jobs", "Image", "Host"), rows))
    if answers := answers_table(jobs):
        parts.append(answers)
    return folded("What ran" if run.started is not None and jobs else "Details", "\n\n".join(parts))


def _summaries(jobs: Sequence[JobReport], evidence: Evidence) -> list[str]:
    written = [(job, text) for job in jobs if (text := evidence.of(job.key).summary.strip())]
    return [
        f"### Summary of {escape(job.name, _NAME_LIMIT)}\n\n{authored(text, _SUMMARY_OF_JOB_LIMIT)}"
        for job, text in written
    ]
