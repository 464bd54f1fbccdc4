"""Workflow + event + lock → plan. Pure: no clock, no file, no network; the same values give the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock_parts import with_parts
from windlass_registry.resolver import Lock
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.plan.contexts import event_contexts
from windlass_runner.plan.expansion import expand
from windlass_runner.plan.graphs import Unfolded, unfold
from windlass_runner.plan.inputs import resolve_inputs
from windlass_runner.plan.model import Group, Plan
from windlass_runner.plan.specs import PlanOptions
from windlass_runner.plan.steps import pin
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Workflow


def compile_plan(
    workflow: Workflow,
    event: Event,
    lock: Lock,
    options: PlanOptions,
    *,
    reason: str = "",
    notes: tuple[str, ...] = (),
) -> Plan:
    """Everything that one run of `workflow` for `event` will do.

    Raises:
        AuthorError: an input that does not fit, an expression that fails, too many jobs.
    """
    inputs = resolve_inputs(workflow, event.inputs)
    contexts = event_contexts(
        event, workflow=workflow.name, path=workflow.path, inputs=inputs, variables=options.variables
    )
    lock = with_parts(lock)
    graph = unfold(workflow, lock, options, contexts)
    return Plan(
        workflow=workflow.name,
        path=workflow.path,
        run_name=_text(workflow, workflow.run_name, contexts) or workflow.name,
        event=event,
        reason=reason,
        inputs=inputs,
        env=dict(workflow.env),
        specs=graph.specs,
        jobs=graph.jobs,
        calls=graph.calls,
        actions=tuple(pin(action) for action in lock.actions.values()),
        concurrency=_run_group(workflow, contexts),
        priority=workflow.priority or 0,
        notes=notes,
    )


def job_graph(workflow: Workflow, lock: Lock, options: PlanOptions) -> Unfolded:
    """The jobs as they would be planned, without an event: none of them is expanded.

    Raises:
        NoEngineYet, AuthorError: as `compile_plan` does.
    """
    return unfold(workflow, with_parts(lock), options, None)


def _run_group(workflow: Workflow, contexts: Mapping[str, Any]) -> Group | None:
    written = workflow.concurrency
    if written is None:
        return None
    cancel = written.cancel_in_progress
    if isinstance(cancel, str):
        cancel = bool(_value(workflow, cancel, contexts))
    name = _text(workflow, written.group, contexts)
    return Group(name=name, cancel_in_progress=cancel, queue=written.queue) if name else None


def _text(workflow: Workflow, text: str | None, contexts: Mapping[str, Any]) -> str:
    value = _value(workflow, text, contexts)
    return "" if value is None else str(value)


def _value(workflow: Workflow, text: str | None, contexts: Mapping[str, Any]) -> Any:
    if text is None or "${{" not in text:
        return text
    try:
        return evaluate_template(text, contexts)
    except ExpressionError as error:
        raise AuthorError(_problem(workflow, Position(line=1, column=1), str(error))) from error


def _problem(workflow: Workflow, at: Position, message: str) -> Problem:
    return Problem(path=workflow.path, line=at.line, column=at.column, message=message)


__all__ = ["PlanOptions", "compile_plan", "expand", "job_graph"]
