"""Writes down what a person answers to the gates of a run. Used by the daemon, and by the commands where a
run has none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from windlass_registry.errors import OperatorError
from windlass_runner.ledger.gate_records import Answer, Gate
from windlass_runner.ledger.gates import person
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobRecord, RunRecord
from windlass_runner.run.standing import may_answer

_MARK_LETTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """A gate that a job came to."""

    job: JobRecord
    gate: Gate

    @property
    def is_open(self) -> bool:
        return self.job.state == "waiting"

    def is_called(self, name: str) -> bool:
        return name == self.job.name or is_called(self.gate, name)

    def has(self, answer: Answer) -> bool:
        """Whether that is what the person has said to it already."""
        mine = (one for one in self.gate.answers if person(one.actor) == person(answer.actor))
        return any(one.is_approval == answer.is_approval for one in mine)


def record_answer(
    ledger: Ledger, run: RunRecord, answer: Answer, *, names: Sequence[str] = (), report: bool = True
) -> tuple[str, ...]:
    """Answer to the gates of these jobs or environments of a run (none named: to all at which jobs wait);
    the jobs that were answered. To say the same again changes nothing, also when a job has gone on since.

    Raises:
        OperatorError: no such job waits, or the answer of that person does not count there.
    """
    jobs = {job.key: job for job in ledger.runs.jobs(run.id)}
    met = [_Met(job=jobs[gate.job_key], gate=gate) for gate in ledger.gates.of_run(run.id)]
    if names:
        met = [one for one in met if any(one.is_called(name) for name in names)]
    waiting = [one for one in met if one.is_open]
    if not waiting and any(one.has(answer) for one in met):
        return ()
    if not waiting:
        raise OperatorError(
            _nothing_waits(run, names), remedy=f"'windlass show {run.id}' tells how it stands"
        )
    allowed = [one for one in waiting if may_answer(one.gate, answer.actor)]
    if not allowed:
        gate = waiting[0].gate
        raise OperatorError(
            f"{answer.actor} is not among those who may let '{gate.environment or gate.job_key}' through",
            remedy=f"ask {' or '.join(gate.approvers)}",
        )
    return tuple(one.job.key for one in allowed if _write(ledger, run, one.job.key, answer, report))


def is_called(gate: Gate, name: str) -> bool:
    """Whether somebody who says that name means the job at this gate: by its key, all of a matrix by their
    job's id, or by the environment."""
    return name in (gate.job_key, gate.environment) or gate.job_key.startswith(f"{name} (")


def _write(ledger: Ledger, run: RunRecord, key: str, answer: Answer, report: bool) -> bool:
    told = {
        "actor": answer.actor,
        "answer": "approved" if answer.is_approval else "rejected",
        "comment": answer.comment,
        "via": answer.via,
    }
    with ledger.transaction():
        if not ledger.gates.answer(run.id, key, answer):
            return False
        event = EventDraft(kind="job.answered", job_key=key, data=told)
        ledger.runs.record(run.id, events=[event], at=answer.at, report=report)
    return True


def _nothing_waits(run: RunRecord, names: Sequence[str]) -> str:
    if not names:
        return f"no job of run {run.id} waits for an approval"
    return f"run {run.id} has no job that waits and is, or deploys to, {' or '.join(map(repr, names))}"


def mark_of(keys: Collection[str]) -> str:
    """A short sign of a set of jobs, for buttons: it tells whether the same jobs still wait."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:_MARK_LETTERS]


def marked_jobs(mark: str, waiting: Collection[str]) -> tuple[str, ...]:
    """The jobs that a sign stands for: all that wait, or one of them; none where others wait by now."""
    if mark_of(waiting) == mark:
        return tuple(waiting)
    return tuple(key for key in waiting if mark_of((key,)) == mark)


def gates_json(gates: Sequence[Gate]) -> Mapping[str, dict[str, object]]:
    """Gates for programs, by the key of their job."""
    return {
        gate.job_key: {
            "environment": gate.environment or None,
            "message": gate.message,
            "approvers": list(gate.approvers),
            "approvals": gate.approvals,
            "opened_at": gate.opened_at,
            "not_before": gate.not_before,
            "ends_at": gate.ends_at,
            "answers": [
                {
                    "actor": answer.actor,
                    "answer": "approved" if answer.is_approval else "rejected",
                    "comment": answer.comment,
                    "via": answer.via,
                    "at": answer.at,
                }
                for answer in gate.answers
            ],
        }
        for gate in gates
    }
