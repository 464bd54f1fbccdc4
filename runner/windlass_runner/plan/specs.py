"""One job as written, with the workflow's defaults, to its spec. Called by `graphs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_registry.resolver import Lock
from windlass_runner.plan.expansion import paths_of
from windlass_runner.plan.model import Group, JobSpec
from windlass_runner.plan.resources import resolve_resources
from windlass_runner.plan.step_counts import refuse_too_many
from windlass_runner.plan.steps import (
    Packages,
    approval_of,
    keeps_folders,
    scalars,
    served_app,
    steps_of,
    texts_in,
)
from windlass_runner.workflow.model import Concurrency, Job, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the owner of the host decides for every plan."""

    default_image: str = "python:3.12"
    instance_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Gradient's machine names to resources; names not listed are taken from a built-in table."""
    variables: Mapping[str, str] = field(default_factory=dict)
    node_images: Mapping[str, str] = field(default_factory=dict)
    """Where JavaScript actions run, by their `runs.using`; those not listed in an image of its own choice."""
    has_images: bool = True
    """Whether jobs run in images; without them their names say nothing, and no lock has to pin them."""
    max_jobs: int = 10_000


def spec_of(workflow: Workflow, job: Job, lock: Lock, options: PlanOptions) -> JobSpec:
    """The job with what the workflow says for all of its jobs.

    Raises:
        AuthorError: more steps than a job may have.
        NoEngineYet
    """
    refuse_too_many(workflow, job, lock)
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
        for path in paths_of(text)
        if path[0] == "secrets" and len(path) > 1
    }
    return replace(spec, secrets=tuple(sorted(names))) if names else spec


def _group(written: Concurrency) -> Group:
    return Group(name=written.group, cancel_in_progress=written.cancel_in_progress, queue=written.queue)
