"""A condition of `expect` on a metric: read, and held against figures. Pure.

Called by `workflow.parse_jobs` when a file is read, and by `run.expectations` when a job has ended.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from windlass_registry.near_words import nearest

_COMPARISONS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_MISWRITTEN: Final[Mapping[str, str]] = {
    "=>": ">=",
    "=<": "<=",
    "=": "==",
    "===": "==",
    "<>": "!=",
    "!": "!=",
    "!==": "!=",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
}
_EXAMPLES: Final = "such as '>= 0.9' or '>= base - 0.5%'"
_UNSIGNED: Final = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?"
_LARGEST_EXPONENT: Final = 308
_SIDES = re.compile(r"(?P<comparison>[^\w\s.+*/-]*)\s*(?P<bound>.*)\Z", re.DOTALL)
_NUMBER = re.compile(rf"[-+]?{_UNSIGNED}\Z", re.IGNORECASE)
_OF_BASE = re.compile(
    rf"(?P<word>[a-z_]\w*)(?:\s*(?P<sign>[-+*])\s*(?P<amount>{_UNSIGNED})\s*(?P<percent>%?))?\Z",
    re.IGNORECASE,
)


class ConditionError(ValueError):
    """A text that is no condition; `remedy` says what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a metric is compared with: `factor · base + share · |base| + offset`.

    Reckoned in decimals, as people write figures: 0.3 is `base + 0.1` where the base is 0.2.
    """

    comparison: str
    offset: Decimal = Decimal(0)
    is_of_base: bool = False
    factor: Decimal = Decimal(1)
    share: Decimal = Decimal(0)
    """Of the size of the base, whatever its sign: `base - 5%` is always below the base."""

    def bound(self, base: float | None) -> Decimal | None:
        """The figure on its right side; None: it needs a base, and there is none."""
        if not self.is_of_base:
            return self.offset
        if base is None:
            return None
        of = Decimal(repr(base))
        return self.factor * of + self.share * abs(of) + self.offset

    def holds(self, found: float, bound: Decimal) -> bool:
        """Whether a metric satisfies it."""
        return _COMPARISONS[self.comparison](Decimal(repr(found)), bound)


def parse_condition(text: str) -> Condition:
    """Read a comparison with a number, with `base`, or with `base` and a tolerance.

    Raises:
        ConditionError: what is wrong, and what to write.
    """
    sides = _SIDES.match(text.strip())
    comparison, bound = (sides["comparison"], sides["bound"].strip()) if sides else ("", text)
    if comparison not in _COMPARISONS:
        raise _no_comparison(text, comparison, bound)
    if _NUMBER.match(bound):
        return Condition(comparison=comparison, offset=_number(bound, text))
    of_base = _OF_BASE.match(bound)
    if of_base is None:
        raise _no_bound(text, comparison, bound)
    if of_base["word"].lower() != "base":
        is_close = nearest(of_base["word"], ["base"]) is not None
        remedy = "did you mean 'base'?" if is_close else f"compare with a number or with base, {_EXAMPLES}"
        raise ConditionError(f"it cannot be '{text}'", remedy)
    if of_base["sign"] is None:
        return Condition(comparison=comparison, is_of_base=True)
    return _with_tolerance(text, comparison, of_base)


def _with_tolerance(text: str, comparison: str, of_base: re.Match[str]) -> Condition:
    sign, amount = of_base["sign"], _number(of_base["amount"], text)
    if sign == "*":
        if of_base["percent"]:
            raise ConditionError(f"it cannot be '{text}'", f"write '{comparison} base * {amount / 100}'")
        return Condition(comparison=comparison, is_of_base=True, factor=amount)
    signed = -amount if sign == "-" else amount
    if of_base["percent"]:
        return Condition(comparison=comparison, is_of_base=True, share=signed / 100)
    return Condition(comparison=comparison, is_of_base=True, offset=signed)


def _number(text: str, of: str) -> Decimal:
    number = Decimal(text)
    if number and abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ConditionError(f"it cannot be '{of}'", f"no metric is as large or as small as {text}")
    return number


def _no_comparison(text: str, comparison: str, bound: str) -> ConditionError:
    if meant := _MISWRITTEN.get(comparison):
        return ConditionError(f"it cannot be '{text}'", f"did you mean '{meant} {bound}'?")
    known = ", ".join(_COMPARISONS)
    if not comparison:
        return ConditionError(f"'{text}' compares with nothing", f"begin with one of {known}, {_EXAMPLES}")
    return ConditionError(f"'{comparison}' is no comparison", f"write one of {known}, {_EXAMPLES}")


def _no_bound(text: str, comparison: str, bound: str) -> ConditionError:
    if not bound:
        return ConditionError(f"'{text}' compares with nothing", f"write what to compare with, {_EXAMPLES}")
    if bound.endswith("%") and _NUMBER.match(bound[:-1].strip()):
        return ConditionError(
            f"it cannot be '{text}'",
            f"a percentage is one of base: write '{comparison} base - {bound.lstrip('+-')}' or a number",
        )
    return ConditionError(f"it cannot be '{text}'", f"compare with a number or with base, {_EXAMPLES}")
