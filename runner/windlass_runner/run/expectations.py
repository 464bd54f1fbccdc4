"""Conditions on metrics (`expect`): ``>= 0.9``, ``>= base - 0.5%``, ``> 0.8, < base + 0.02``. Pure.

`base` is the metric's value in the run of the merge base. A tolerance in per cent is a share of that
value; a bare number in per cent is that number divided by 100.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Comparison = Literal[">=", "<=", ">", "<", "==", "!="]
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMBER: Final = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_CONDITION: Final = re.compile(
    rf"\s*(?P<compare>>=|<=|==|!=|>|<|=)\s*"
    rf"(?:(?P<base>base)(?:\s*(?P<sign>[-+])\s*(?P<by>{_NUMBER})\s*(?P<share>%)?)?"
    rf"|(?P<number>[-+]?{_NUMBER})\s*(?P<percent>%)?)\s*\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison, against a number or against the base's value and a tolerance."""

    text: str
    comparison: Comparison
    number: float = 0.0
    """The number; with `is_relative`, what is added to the base."""
    is_relative: bool = False
    is_share: bool = False
    """The tolerance is a share of the base's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one condition turned out. None: it could not be checked, for there is no base to compare with."""

    metric: str
    condition: str
    holds: bool | None
    value: float | None
    limit: float | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.metric}: expected {self.condition}, but it was never written"
        if self.limit is None:
            return f"{self.metric} = {self.value:g}: {self.condition} was not checked, there is no base run"
        word = "as expected" if self.holds else "expected"
        shown = f" (here {self.limit:g})" if "base" in self.condition else ""
        return f"{self.metric} = {self.value:g}: {word} {self.condition}{shown}"


def parse_expectation(text: str) -> tuple[Condition, ...]:
    """The conditions of one metric, joined by commas.

    Raises:
        ValueError: it is none; the text says what is wrong and what would be right.
    """
    parts = text.split(",")
    return tuple(_condition(part.strip()) for part in parts)


def check_expectation(
    metric: str, conditions: tuple[Condition, ...], *, value: float | None, base: float | None
) -> tuple[Finding, ...]:
    """Compare a metric's last value (None: never written, which fails) with its conditions."""
    return tuple(_check(metric, condition, value, base) for condition in conditions)


def _condition(text: str) -> Condition:
    match = _CONDITION.match(text)
    if match is None:
        raise ValueError(
            f"'{text}' is not a condition; write a comparison with a number or with base, "
            "as '>= 0.9', '>= base - 0.5%' or '< base + 0.02'"
        )
    comparison = _comparison(match["compare"])
    if match["base"]:
        by = float(match["by"] or 0) * (-1 if match["sign"] == "-" else 1)
        is_share = match["share"] is not None
        return Condition(
            text=text,
            comparison=comparison,
            number=by / 100 if is_share else by,
            is_relative=True,
            is_share=is_share,
        )
    number = float(match["number"]) / (100 if match["percent"] else 1)
    return Condition(text=text, comparison=comparison, number=number)


def _comparison(sign: str) -> Comparison:
    match sign:
        case ">=" | "<=" | ">" | "<" | "!=":
            return sign
        case _:
            return "=="


def _check(metric: str, condition: Condition, value: float | None, base: float | None) -> Finding:
    limit = _limit(condition, base)
    holds: bool | None = None
    if value is None:
        holds = False
    elif limit is not None:
        holds = _COMPARE[condition.comparison](value, limit)
    return Finding(metric=metric, condition=condition.text, holds=holds, value=value, limit=limit)


def _limit(condition: Condition, base: float | None) -> float | None:
    if not condition.is_relative:
        return condition.number
    if base is None:
        return None
    return base + condition.number * (abs(base) if condition.is_share else 1)
