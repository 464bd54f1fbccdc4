"""Whether a job, or a graph of jobs, runs: its `if` and what it needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_runner.expressions import FixedHost
from windlass_runner.expressions.templates import evaluate_condition


def holds(
    condition: str | None,
    contexts: Mapping[str, Any],
    needs: Mapping[str, Any],
    *,
    has_failed: bool,
    is_cancelled: bool,
) -> bool:
    """Whether an `if` lets what it stands at run; without one, all that it needs has to have succeeded.
    `has_failed`: whether anything before it failed.

    Raises:
        ExpressionError
    """
    succeeded = not is_cancelled and all(need["result"] == "success" for need in needs.values())
    if condition is None:
        return succeeded
    host = FixedHost(succeeded=succeeded, failed=has_failed, was_cancelled=is_cancelled)
    seen = {**contexts, "needs": needs, "matrix": {}, "strategy": {}}
    return evaluate_condition(condition, seen, host=host)


def why_skipped(condition: str | None, needs: Mapping[str, Any]) -> str:
    """Why it did not."""
    lacking = [f"{name} ({need['result']})" for name, need in needs.items() if need["result"] != "success"]
    if condition is None:
        return "needs " + ", ".join(lacking)
    return f"if: {condition}" + (f"; needs {', '.join(lacking)}" if lacking else "")
