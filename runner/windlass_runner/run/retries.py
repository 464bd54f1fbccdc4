"""Whether a failed attempt is followed by another one, and when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_runner.expressions import ExpressionError, FixedHost
from windlass_runner.expressions.templates import evaluate_condition
from windlass_runner.run.ending import Ending
from windlass_runner.workflow.model import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """One more attempt, after a while."""

    delay_s: float
    reason: str


def retry_after(
    rule: Retry | None, ending: Ending, number: int, *, contexts: Callable[[], Mapping[str, Any]]
) -> Again | None:
    """What `retry` makes of the ending of attempt `number` (from 1): None, or when the next begins."""
    if rule is None or ending.cause is None or number > rule.limit or ending.cause not in rule.on:
        return None
    if rule.when is not None and not _is_wanted(rule.when, ending, contexts()):
        return None
    delay_s = rule.delay_s * rule.backoff ** (number - 1)
    if rule.max_delay_s is not None:
        delay_s = min(delay_s, rule.max_delay_s)
    reason = (
        f"attempt {number} failed ({ending.reason or ending.cause}); "
        f"attempt {number + 1} of {rule.limit + 1} follows"
    )
    return Again(delay_s=delay_s, reason=reason + (f" in {delay_s:g} s" if delay_s else ""))


def _is_wanted(condition: str, ending: Ending, contexts: Mapping[str, Any]) -> bool:
    seen = {
        **contexts,
        "job": {"status": "failure", "cause": ending.cause, "exit-code": ending.exit_code},
    }
    try:
        return evaluate_condition(condition, seen, host=FixedHost(failed=True))
    except ExpressionError:
        return False
