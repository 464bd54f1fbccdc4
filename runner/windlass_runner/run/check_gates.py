"""What checks say of gates: the buttons, how to let a job through, who did. Pure; used by `check_report` and
`check_summary`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from windlass_runner.forges.base import CheckAction
from windlass_runner.run.answers import mark_of
from windlass_runner.run.check_markdown import code, escape, plain, table
from windlass_runner.run.report import JobReport
from windlass_runner.run.standing import told

_LABEL: Final = 20
_NAME_LIMIT: Final = 80


def gate_actions(waiting: Sequence[JobReport]) -> tuple[CheckAction, ...]:
    """The buttons that let these jobs through, or turn them away; none where none waits. They are about
    these jobs alone: another one that waits when they are pressed was not on the page."""
    if not waiting:
        return ()
    names = list(dict.fromkeys(_called(job) for job in waiting))
    whom = names[0] if len(names) == 1 else f"{len(names)} jobs"
    mark = mark_of([job.key for job in waiting])
    listed = plain(", ".join(names), _NAME_LIMIT)
    return (
        CheckAction(
            label=_label("Approve", whom),
            description=f"Let it go on: {listed}",
            identifier="approve_job",
            mark=mark,
        ),
        CheckAction(
            label=_label("Reject", whom),
            description=f"Let it fail: {listed}",
            identifier="reject_job",
            mark=mark,
        ),
    )


def waiting_jobs(jobs: Sequence[JobReport]) -> tuple[JobReport, ...]:
    """Those at whose gates somebody is to answer."""
    return tuple(job for job in jobs if job.state == "waiting")


def how_to_answer(jobs: Sequence[JobReport], run: str | None) -> str:
    """What people can do for the jobs that wait, as Markdown; empty where none does."""
    lines = []
    for job in waiting_jobs(jobs):
        name = _called(job)
        by_hand = f" or {code(f'windlass approve {run} {name}')}" if run else ""
        lines.append(
            f"- ✋ {escape(job.name, _NAME_LIMIT)} {escape(job.reason or 'waits', 400)}. Let it go on by the "
            f"button, the comment {code(f'/approve {name}')} on the pull request{by_hand}."
        )
        lines += [f"  - {escape(told, 400)}" for told in job.refusals]
    return "\n".join(lines)


def answers_table(jobs: Sequence[JobReport]) -> str:
    """Who let which job go on, and when; empty where nobody was asked."""
    rows = [row for job in jobs for row in _rows(job)]
    return table(("Job", "Environment", "Answer", "When"), rows) if rows else ""


def _rows(job: JobReport) -> Iterator[tuple[str, ...]]:
    if job.gate is None:
        return
    for answer in job.gate.answers:
        when = datetime.fromtimestamp(answer.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        environment = escape(job.gate.environment, _NAME_LIMIT)
        yield escape(job.name, _NAME_LIMIT), environment, escape(told(answer), 400), when


def _called(job: JobReport) -> str:
    return (job.gate.environment if job.gate is not None else "") or job.key


def _label(verb: str, whom: str) -> str:
    label = f"{verb} {plain(whom, _NAME_LIMIT)}"
    return label if len(label) <= _LABEL else verb
