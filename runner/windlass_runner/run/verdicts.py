"""Expectations with their verdicts, as the ledger keeps them with an attempt and as they are told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from windlass_runner.ledger.records import AttemptRecord

Verdict = Literal["holds", "broken", "not reported", "no base"]
BROKEN: Final = ("broken", "not reported")
VERDICT_WORDS: Final = {
    "holds": "holds",
    "broken": "broken",
    "not reported": "never reported",
    "no base": "holds: no base yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One expectation with its verdict. `no base`: there was nothing to compare with, and so it holds."""

    metric: str
    condition: str
    verdict: Verdict
    found: float | None = None
    bound: float | None = None
    base: float | None = None
    base_name: str = ""
    """Of which commit the base is: `main (1a2b3c4)`."""

    @property
    def is_broken(self) -> bool:
        return self.verdict in BROKEN


def read_judged(detail: Mapping[str, Any]) -> tuple[Judged, ...]:
    """Those that an attempt ended with, from its detail in the ledger."""
    kept = detail.get("expectations", ())
    return tuple(Judged(**one) for one in kept)


def judged_of(attempts: Iterable[AttemptRecord]) -> dict[str, tuple[Judged, ...]]:
    """Those of the latest attempt of each job. `attempts`: by number."""
    return {attempt.job_key: read_judged(attempt.detail) for attempt in attempts}


def expected(one: Judged) -> str:
    """The condition, with what it came to: `>= base - 0.5% (0.84575: base 0.85 of main (1a2b3c4))`."""
    if one.base is None:
        return one.condition
    return f"{one.condition} ({figure_text(one.bound)}: base {figure_text(one.base)} of {one.base_name})"


def figure_text(number: float | None) -> str:
    """A figure with enough digits to tell it from its bound."""
    return "?" if number is None else f"{number:.8g}"
