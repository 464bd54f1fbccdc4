"""From a checked workflow and an event to a plan and a run to be written down.

The one way for `windlass plan`, `windlass run` and the daemon, so that all three mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError
from windlass_registry.lock import Lock, LockFile
from windlass_registry.lock_parts import with_parts
from windlass_registry.policy import Policy
from windlass_registry.resolver import Fetching
from windlass_registry.store import Store
from windlass_runner.ledger.records import NewJob, NewRun
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.compile import PlanOptions, compile_plan
from windlass_runner.plan.model import JobSpec, Plan
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.image_checks import ImageRules
from windlass_runner.run.looking_up import places_of_actions, resolve_actions
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import ParsedWorkflow


def plan_run(
    parsed: ParsedWorkflow,
    *,
    event: Event,
    reason: str,
    root: Path,
    pins: LockFile | None,
    catalog: Catalog,
    options: PlanOptions,
    packages: Store | None = None,
    policy: Policy | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Plan:
    """The plan of a workflow for an event. `root`: the repository's files, for its own actions.

    With `packages`, what it uses is put there, so that it can run (now or after a restart). `policy`: what
    the owner of the machine allows; `on_fetch` hears how far the fetching of packages is.

    Raises:
        AuthorError: every problem of the file, of its actions, or of the inputs given.
    """
    workflow = parsed.workflow
    policy = policy or Policy()
    lock = resolve_actions(workflow, root=root, pins=pins, catalog=catalog, policy=policy, on_fetch=on_fetch)
    if packages is not None:
        for action in with_parts(lock).actions.values():
            if not packages.has(action.digest):
                packages.add_folder(action.folder)
    notes = tuple(str(warning) for warning in parsed.warnings) + lock.warnings + _unlocked(lock, pins)
    plan = compile_plan(workflow, event, lock, options, reason=reason, notes=notes)
    rules = ImageRules(
        workflow=workflow,
        places=places_of_actions(workflow),
        lock=lock,
        pins=pins,
        policy=policy,
        options=options,
    )
    if problems := rules.of_plan(plan):
        raise AuthorError(*problems)
    return replace(
        plan,
        notes=(*plan.notes, *rules.notes(plan)),
        images={} if pins is None else {name: pin.reference for name, pin in pins.images.items()},
        unlocked_images=rules.unlocked,
        image_registries=policy.image_registries,
    )


def _unlocked(lock: Lock, pins: LockFile | None) -> tuple[str, ...]:
    """What the author should know of actions that nothing pins."""
    if pins is None and any(action.source != "local" for action in lock.actions.values()):
        return ("no lock: actions were resolved to their newest releases; pin them with `windlass lock`",)
    if lock.unpinned:
        names = ", ".join(lock.unpinned)
        return (f"not in the lock: {names}: resolved to their newest releases; pin with `windlass lock`",)
    return ()


def new_run(
    plan: Plan, *, repository: str, rerun_of: str | None = None, snapshot: str | None = None
) -> NewRun:
    """The run that a plan is written down as."""
    return NewRun(
        repository=repository,
        ref=plan.event.ref,
        sha=plan.event.sha,
        workflow=plan.workflow,
        workflow_path=plan.path,
        plan=dumps(plan),
        event=json.dumps(plan.event.to_json()),
        name=plan.run_name,
        jobs=tuple(
            NewJob(key=job.key, name=job.name, needs=plan.specs[job.job_id].needs) for job in plan.jobs
        ),
        rerun_of=rerun_of,
        group=plan.concurrency.name if plan.concurrency else None,
        priority=plan.priority,
        snapshot=snapshot,
        notes=plan.notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What a job asks for that has no engine behind it yet. `keys` lead to it from the job."""

    job_id: str
    keys: tuple[str, ...]
    message: str
    remedy: str


def refuse_what_cannot_run(plan: Plan) -> None:
    """What is understood, checked and planned, but has no engine behind it yet, is never passed over.

    Raises:
        NoEngineYet: names the job and the key.
    """
    for lacking in what_cannot_run(plan):
        raise NoEngineYet(f"{plan.path}: {lacking.message}", remedy=lacking.remedy)


def what_cannot_run(plan: Plan) -> Iterator[Lacking]:
    """All that `refuse_what_cannot_run` refuses, in the order of the jobs."""
    for spec in plan.specs.values():
        for keys, what, remedy in _without_engine(spec):
            message = f"job '{spec.id}' asks for {what}, which this runner cannot do yet"
            yield Lacking(job_id=spec.id, keys=keys, message=message, remedy=remedy)


def _without_engine(spec: JobSpec) -> Iterator[tuple[tuple[str, ...], str, str]]:
    resources = spec.resources
    if resources.gpu is not None and resources.gpu.count:
        yield ("resources", "gpu"), "a GPU (`resources.gpu`)", "take it out to run on the CPU"
    if resources.labels:
        what = "labels of a host (`resources.labels`)"
        yield ("resources", "labels"), what, "take them out: there is one host"
    if spec.reuse is not None:
        yield ("reuse",), "`reuse`", "take it out: every job runs"
    for output in spec.outputs:
        if output.type in ("dataset", "model"):
            what = f"an output of the type {output.type} ('{output.name}')"
            yield ("outputs", output.name), what, "make it of the type volume or artifact"
    for item in spec.inputs:
        if item.type in ("dataset", "model", "volume", "artifact"):
            what = f"an input of the type {item.type} ('{item.name}')"
            yield ("inputs", item.name), what, "take another job's output"


def select_jobs(plan: Plan, wanted: frozenset[str]) -> Plan:
    """The plan with only these jobs (ids) and those that they need, directly or not."""
    keep: set[str] = set()
    stack = list(wanted)
    while stack:
        job_id = stack.pop()
        if job_id not in keep:
            keep.add(job_id)
            stack.extend(plan.specs[job_id].needs)
    return replace(
        plan,
        specs={job_id: spec for job_id, spec in plan.specs.items() if job_id in keep},
        jobs=tuple(job for job in plan.jobs if job.job_id in keep),
    )


def with_dependants(plan: Plan, job_id: str) -> frozenset[str]:
    """A job and all that depend on it, directly or not."""
    found = {job_id}
    for spec in plan.specs.values():  # jobs stand in any order: go on until nothing is added
        stack = [spec.id]
        seen: set[str] = set()
        while stack:
            current = stack.pop()
            if current in found:
                found |= {spec.id}
                break
            if current not in seen:
                seen.add(current)
                stack.extend(plan.specs[current].needs)
    return frozenset(found)
