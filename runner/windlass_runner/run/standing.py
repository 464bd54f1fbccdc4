"""How a gate stands: what the answers to it amount to, by now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from windlass_runner.ledger.gate_records import Answer, Gate
from windlass_runner.ledger.gates import person
from windlass_runner.run.status_text import duration_text

_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`reason` is what people read. `look_at`: when time alone may change it."""

    word: Literal["waits", "open", "rejected", "timed_out"]
    reason: str = ""
    approved_by: tuple[str, ...] = ()
    comment: str = ""
    look_at: float | None = None


def standing(gate: Gate, *, at: float) -> Standing:
    """How it stands at that time. One rejection is enough to close it."""
    refusal = next((answer for answer in gate.answers if not answer.is_approval), None)
    if refusal is not None:
        said = f": {_line(refusal.comment)}" if refusal.comment else ""
        return Standing(word="rejected", reason=f"rejected by {refusal.actor}{said}")
    given = gate.answers[: gate.approvals]
    is_approved = len(given) >= gate.approvals
    if is_approved and at >= gate.not_before:
        comment = next((answer.comment for answer in reversed(given) if answer.comment), "")
        return Standing(word="open", approved_by=tuple(one.actor for one in given), comment=comment)
    if not is_approved and at >= gate.ends_at:
        waited = duration_text(gate.ends_at - gate.opened_at)
        return Standing(word="timed_out", reason=f"nobody let it through within {waited}: {wish(gate)}")
    return Standing(
        word="waits",
        reason=_paused(gate) if is_approved else f"waits for {wish(gate)}",
        look_at=gate.not_before if is_approved else gate.ends_at,
    )


def may_answer(gate: Gate, actor: str) -> bool:
    """Whether that person's answer counts, if they may write."""
    return not gate.approvers or person(actor) in {person(name) for name in gate.approvers}


def wish(gate: Gate) -> str:
    """For what and for whom it waits: `2 approvals of production by ada or bob (1 given, by ada)`."""
    count = f"{gate.approvals} approvals" if gate.approvals > 1 else "approval"
    of = f" of {gate.environment}" if gate.environment else ""
    given = ", ".join(answer.actor for answer in gate.answers if answer.is_approval)
    told = f" ({len(gate.answers)} given, by {given})" if given else ""
    message = f": {_line(gate.message)}" if gate.message else ""
    return f"{count}{of} by {_names(gate.approvers)}{told}{message}"


def told(answer: Answer) -> str:
    """One answer, as `approved by ada: looks good`."""
    verb = "approved" if answer.is_approval else "rejected"
    return f"{verb} by {answer.actor}" + (f": {_line(answer.comment)}" if answer.comment else "")


def _paused(gate: Gate) -> str:
    where = f" before it goes to {gate.environment}" if gate.environment else ""
    approved = ", ".join(answer.actor for answer in gate.answers)
    by = f"approved by {approved}; " if approved else ""
    return f"{by}waits {duration_text(gate.not_before - gate.opened_at)}{where}"


def _names(approvers: Sequence[str]) -> str:
    if not approvers:
        return "somebody who may write"
    shown = list(approvers[:_NAMED])
    if len(approvers) > _NAMED:
        shown.append(f"{len(approvers) - _NAMED} others")
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
