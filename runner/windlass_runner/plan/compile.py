"""Workflow + event + lock → plan. Pure: no clock, no file, no network; the same values give the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.resolver import Lock
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.references import references
from windlass_runner.expressions.templates import evaluate_template, evaluate_value, parse_template
from windlass_runner.plan.contexts import event_contexts
from windlass_runner.plan.inputs import resolve_inputs
from windlass_runner.plan.matrix import MatrixError, combinations, label
from windlass_runner.plan.model import Group, JobSpec, Plan, PlannedJob
from windlass_runner.plan.resources import resolve_resources
from windlass_runner.plan.steps import (
    Packages,
    approval_of,
    keeps_folders,
    pin,
    scalars,
    served_app,
    steps_of,
    texts_in,
)
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Concurrency, Job, Strategy, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the owner of the host decides for every plan."""

    default_image: str = "python:3.12"
    instance_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Gradient's machine names to resources; names not listed are taken from a built-in table."""
    variables: Mapping[str, str] = field(default_factory=dict)
    node_images: Mapping[str, str] = field(default_factory=dict)
    """Where JavaScript actions run, by their `runs.using`; those not listed in an image of its own choice."""
    max_jobs: int = 10_000


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
    specs: dict[str, JobSpec] = {}
    jobs: list[PlannedJob] = []
    problems: list[Problem] = []
    for job in workflow.jobs.values():
        try:
            spec = _spec(workflow, job, lock, options)
            specs[job.id] = spec
            jobs.extend(expand(spec, contexts, limit=options.max_jobs - len(jobs)))
        except (ExpressionError, MatrixError) as error:
            place = job.strategy.at if isinstance(error, MatrixError) and job.strategy else job.at
            problems.append(_problem(workflow, place, f"job '{job.id}': {error}"))
    if problems:
        raise AuthorError(*problems)
    return Plan(
        workflow=workflow.name,
        path=workflow.path,
        run_name=_text(workflow, workflow.run_name, contexts) or workflow.name,
        event=event,
        reason=reason,
        inputs=inputs,
        env=dict(workflow.env),
        specs=specs,
        jobs=tuple(jobs),
        actions=tuple(pin(action) for action in lock.actions.values()),
        concurrency=_run_group(workflow, contexts),
        priority=workflow.priority or 0,
        notes=notes,
    )


def job_specs(workflow: Workflow, lock: Lock, options: PlanOptions) -> dict[str, JobSpec]:
    """The jobs as they would be planned, without an event. Raises NoEngineYet as `compile_plan` does."""
    return {job.id: _spec(workflow, job, lock, options) for job in workflow.jobs.values()}


def _spec(workflow: Workflow, job: Job, lock: Lock, options: PlanOptions) -> JobSpec:
    defaults = workflow.defaults
    steps = steps_of(job, Packages(lock=lock, node_images=options.node_images))
    spec = JobSpec(
        id=job.id,
        name=job.name or job.id,
        needs=job.needs,
        condition=job.condition,
        steps=steps,
        image=job.image or defaults.image or options.default_image,
        env=scalars(defaults.env, job.env),
        inputs=job.inputs,
        outputs=job.outputs,
        resources=resolve_resources(job.resources, defaults.resources, options.instance_types),
        strategy=job.strategy,
        retry=job.retry or defaults.retry,
        timeout_minutes=job.timeout_minutes if job.timeout_minutes is not None else defaults.timeout_minutes,
        continue_on_error=job.continue_on_error,
        services=job.services,
        environment=job.environment,
        environment_url=job.environment_url,
        approval=approval_of(job, lock),
        concurrency=None if job.concurrency is None else _group(job.concurrency),
        reuse=job.reuse,
        expect=job.expect,
        expect_lines={metric: at.line for metric, at in job.expect_at.items()},
        priority=(job.priority if job.priority is not None else workflow.priority) or 0,
        has_checkout=job.checkout,
        is_deterministic=job.uses is not None and lock.actions[job.uses].manifest.is_deterministic,
        has_cache=keeps_folders(steps, lock),
        app=served_app(steps, lock),
    )
    return _with_secrets(spec, workflow)


def _with_secrets(spec: JobSpec, workflow: Workflow) -> JobSpec:
    """Note which secrets a job mentions, in its own texts and in the workflow's `env`."""
    names = {
        path[1]
        for text in (*texts_in(spec), *texts_in(workflow.env))
        if "secrets" in text
        for path in _paths(text)
        if path[0] == "secrets" and len(path) > 1
    }
    return replace(spec, secrets=tuple(sorted(names))) if names else spec


def _group(written: Concurrency) -> Group:
    return Group(name=written.group, cancel_in_progress=written.cancel_in_progress, queue=written.queue)


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
