"""How runs stand, as one JSON document for a commit (a git note), and that document as text.

Pure, and cheap to import: `windlass status` does nothing else. The document:

    {"version": 1, "commit": …, "state": …, "updated": …, "workflows": [
      {"name", "path", "run", "state", "reason", "started", "finished", "duration_s", "url", "notes",
       "annotations",
       "jobs": [{"key", "name", "state", "reason", "attempt", "started", "finished", "duration_s", "url",
                 "metrics": {name: value},
                 "expectations": [{"metric", "condition", "verdict", "found", "bound", "base"}],
                 "outputs": [{"name", "type", "value" | "path", "url", …}],
                 "annotations": […], "environment", "answers": [{"actor", "answer", "comment", "at"}]}]}]}

What is not known is left out. Times are seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from windlass_runner.ledger.gate_records import Gate
from windlass_runner.run.status_text import (
    UNFINISHED,
    duration_text,
    mappings,
    parse_note,
    render_status,
)
from windlass_runner.run.verdicts import Judged

State = Literal[
    "queued",
    "waiting",
    "running",
    "success",
    "failure",
    "cancelled",
    "skipped",
    "timed_out",
    "neutral",
]
_WORST_FIRST: Final = (
    *("running", "waiting", "queued"),
    *("failure", "timed_out", "cancelled", "neutral", "success", "skipped"),
)
NOTE_VERSION: Final = 1
__all__ = [
    "UNFINISHED",
    "JobReport",
    "OutputReport",
    "RemarkReport",
    "RunReport",
    "duration_text",
    "note_text",
    "overall_state",
    "parse_note",
    "render_status",
    "to_note",
]
ANNOTATIONS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReport:
    """One output: the text of a string, or where the files lie (path, address, version)."""

    name: str
    type: str
    value: str | None = None
    path: str | None = None
    url: str | None = None
    ref: str | None = None
    """``name:number`` of the dataset or model version that it became."""
    digest: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemarkReport:
    """An annotation: what a job (or the check of a workflow file) says of a place."""

    level: str
    message: str
    title: str | None = None
    file: str | None = None
    line: int | None = None
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """One job as it stands."""

    key: str
    name: str
    state: State
    reason: str | None = None
    """Why it failed, was skipped, or waits."""
    attempt: int = 1
    started: float | None = None
    finished: float | None = None
    url: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    outputs: tuple[OutputReport, ...] = ()
    remarks: tuple[RemarkReport, ...] = ()
    expectations: tuple[Judged, ...] = ()
    gate: Gate | None = None
    """The one that it came to, with what people answered."""
    refusals: tuple[str, ...] = ()
    """Whose answers did not count while it waits, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run of one workflow as it stands. `run` None: refused before it could become a run."""

    workflow: str
    path: str
    state: State
    run: str | None = None
    reason: str | None = None
    started: float | None = None
    finished: float | None = None
    url: str | None = None
    jobs: tuple[JobReport, ...] = ()
    remarks: tuple[RemarkReport, ...] = ()
    notes: tuple[str, ...] = ()
    """What its author should know though it runs: no lock, a yanked release, warnings."""


Json = dict[str, object]


def overall_state(states: Iterable[str]) -> str:
    """The one word for several: what still runs, else the worst, else success."""
    found = set(states)
    return next((state for state in _WORST_FIRST if state in found), "success")


def to_note(
    runs: Sequence[RunReport], *, commit: str, updated: float, previous: Mapping[str, object] | None = None
) -> Json:
    """The document for a commit. Of several runs of one workflow file the last in `runs` counts.

    `previous` is the note as it stands: its entries for other workflow files are kept.
    """
    entries: dict[str, Json] = {}
    for old in mappings(previous.get("workflows") if previous else None):
        entries[str(old.get("path") or old.get("name"))] = dict(old)
    for run in runs:
        entries[run.path] = _run_entry(run)
    workflows = [entries[key] for key in sorted(entries)]
    return {
        "version": NOTE_VERSION,
        "commit": commit,
        "state": overall_state(str(entry.get("state")) for entry in workflows),
        "updated": round(updated, 3),
        "workflows": workflows,
    }


def note_text(note: Mapping[str, object]) -> str:
    """The document as it is stored: JSON that `git log --notes=windlass` shows legibly."""
    return json.dumps(note, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _run_entry(run: RunReport) -> Json:
    return _known(
        name=run.workflow,
        path=run.path,
        run=run.run,
        state=run.state,
        reason=run.reason,
        **_times(run.started, run.finished),
        url=run.url,
        notes=list(run.notes[:ANNOTATIONS_SHOWN]) or None,
        annotations=[_remark_entry(remark) for remark in run.remarks[:ANNOTATIONS_SHOWN]] or None,
        jobs=[_job_entry(job) for job in run.jobs],
    )


def _job_entry(job: JobReport) -> Json:
    return _known(
        key=job.key,
        name=job.name,
        state=job.state,
        reason=job.reason,
        attempt=job.attempt if job.attempt > 1 else None,
        **_times(job.started, job.finished),
        url=job.url,
        metrics=dict(sorted(job.metrics.items())) or None,
        expectations=[_expectation_entry(one) for one in job.expectations] or None,
        outputs=[_output_entry(output) for output in job.outputs] or None,
        annotations=[_remark_entry(remark) for remark in job.remarks[:ANNOTATIONS_SHOWN]] or None,
        **(_gate_entry(job.gate) if job.gate is not None else {}),
    )


def _expectation_entry(one: Judged) -> Json:
    return _known(
        metric=one.metric,
        condition=one.condition,
        verdict=one.verdict,
        found=one.found,
        bound=one.bound,
        base=one.base,
    )


def _gate_entry(gate: Gate) -> Json:
    answers = [
        _known(
            actor=answer.actor,
            answer="approved" if answer.is_approval else "rejected",
            comment=answer.comment or None,
            at=round(answer.at, 3),
        )
        for answer in gate.answers
    ]
    return _known(environment=gate.environment or None, answers=answers or None)


def _output_entry(output: OutputReport) -> Json:
    return _known(
        name=output.name,
        type=output.type,
        value=output.value,
        path=output.path,
        url=output.url,
        ref=output.ref,
        digest=output.digest,
        size_bytes=output.size_bytes,
    )


def _remark_entry(remark: RemarkReport) -> Json:
    return _known(level=remark.level, message=remark.message, file=remark.file, line=remark.line)


def _times(started: float | None, finished: float | None) -> Json:
    duration = finished - started if started is not None and finished is not None else None
    return {
        "started": round(started, 3) if started is not None else None,
        "finished": round(finished, 3) if finished is not None else None,
        "duration_s": round(max(duration, 0.0), 3) if duration is not None else None,
    }


def _known(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
