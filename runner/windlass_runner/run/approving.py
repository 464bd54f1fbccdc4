"""Jobs that are an approval and nothing else (`using: approval`): their gate, and what they put out. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from windlass_registry.errors import OperatorError
from windlass_runner.expressions import FixedHost
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text, untrusted
from windlass_runner.ledger.gate_records import Gate
from windlass_runner.plan.model import JobSpec, Plan, PlannedApproval, PlannedJob
from windlass_runner.run.environments import LONGEST_WAIT_S
from windlass_runner.run.standing import standing
from windlass_runner.run.step_texts import evaluate_env

_BETWEEN_NAMES: Final = re.compile(r"[,\s]+")


def environment_of(plan: Plan, spec: JobSpec, contexts: Mapping[str, Any]) -> dict[str, Any]:
    """The `env` context of a job that has no container.

    Raises:
        ExpressionError
    """
    seen: dict[str, Any] = {"env": {}, "secrets": {}, **contexts}
    for layer in (plan.env, spec.env) if spec.call is None else (spec.env,):
        seen["env"] = {**seen["env"], **evaluate_env(layer, seen, FixedHost())}
    found: dict[str, Any] = seen["env"]
    return found


def gate_of_approval(
    job: PlannedJob, approval: PlannedApproval, contexts: Mapping[str, Any], at: float
) -> Gate:
    """The gate that such a job is.

    Raises:
        ExpressionError
        OperatorError: nobody could ever let it through.
    """
    seen = {"secrets": {}, "job": {"status": "success"}, **contexts}
    inputs = evaluate_value(dict(approval.inputs), seen)
    seen = {**seen, "inputs": inputs}
    approvers = _names(evaluate_value(approval.approvers, seen))
    approvals = _number(evaluate_value(approval.approvals, seen), "approvals", default=1)
    minutes = _number(evaluate_value(approval.timeout_minutes, seen), "timeout-minutes")
    if approvals != int(approvals):
        raise OperatorError(f"{approvals:g} approvals are no whole number")
    if approvers and approvals > len({name.casefold() for name in approvers}):
        raise OperatorError(f"{approvals:g} approvals cannot come from {len(approvers)} people")
    return Gate(
        job_key=job.key,
        message=to_text(evaluate_template(approval.message, seen)),
        approvers=approvers,
        approvals=int(approvals),
        opened_at=at,
        not_before=at,
        ends_at=at + (minutes * 60 if minutes else LONGEST_WAIT_S),
    )


def approval_outputs(
    spec: JobSpec, gate: Gate, contexts: Mapping[str, Any], at: float
) -> dict[str, dict[str, str]]:
    """What the job puts out: of `approved-by` and `comment` those that it declares, under either spelling.

    Raises:
        ExpressionError
    """
    found = standing(gate, at=at)
    said = {"approved-by": ", ".join(found.approved_by), "comment": found.comment}
    step = {"outputs": untrusted(said), "outcome": "success", "conclusion": "success"}
    seen = {"env": {}, "secrets": {}, **contexts, "steps": {spec.id: step}}
    texts = {
        output.name: said.get(output.name, "")
        if output.value is None
        else to_text(evaluate_template(output.value, seen))
        for output in spec.outputs
    }
    return {name: {"type": "string", "text": str(text)} for name, text in texts.items()}


def _names(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else _BETWEEN_NAMES.split(to_text(value))
    return tuple(dict.fromkeys(text for item in items if (text := to_text(item).strip().lstrip("@"))))


def _number(value: Any, what: str, *, default: float = 0.0) -> float:
    """A number above zero; `default` where there is none."""
    if value is None or value == "":
        return default
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise OperatorError(f"'{what}' is '{to_text(value)}', which is no number") from None
    if not 0 < found < math.inf:
        raise OperatorError(f"'{what}' must be above zero, not {found:g}")
    return found
