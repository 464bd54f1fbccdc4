"""A plan as text that people read: stages from the first to the last, and what each job gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from windlass_runner.commands.paint import Paint, clip, size
from windlass_runner.plan.images import image_text, images_of, images_of_steps
from windlass_runner.plan.known_images import planned_contexts
from windlass_runner.plan.model import (
    ActionPin,
    CompositeStep,
    ContainerStep,
    GraphCall,
    JobSpec,
    NodeStep,
    Plan,
    PlannedJob,
    PlannedStep,
    PythonStep,
    RunStep,
)
from windlass_runner.workflow.graph import order
from windlass_runner.workflow.model import JobInput, OutputSpec, Resources, Service

_MOST_LEGS = 12
_Seen = Sequence[Mapping[str, Any]]
"""What the legs of a job know before they start."""


def stages(plan: Plan) -> list[list[JobSpec]]:
    """The jobs by how many others must have ended before: each stage needs only those above it."""
    depth: dict[str, int] = {}
    for job in order({spec.id: spec.needs for spec in plan.specs.values()}):
        known = [depth[need] for need in plan.specs[job].needs if need in depth]
        depth[job] = 1 + max(known, default=-1)
    rows: list[list[JobSpec]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for spec in plan.specs.values():
        if spec.id in depth:
            rows[depth[spec.id]].append(spec)
    return rows


def render_plan(plan: Plan, *, paint: Paint, width: int) -> str:
    """The whole plan."""
    lines = list(_head(plan, paint))
    legs: dict[str, list[PlannedJob]] = {}
    for job in plan.jobs:
        legs.setdefault(job.job_id, []).append(job)
    for number, row in enumerate(stages(plan), start=1):
        present = [spec for spec in row if spec.id in legs]
        if not present:
            continue
        lines += ["", paint(f"stage {number}", "bold", "cyan")]
        for spec in present:
            lines += _job(plan, spec, legs[spec.id], paint)
    lines += ["", paint(_count(plan), "dim")]
    return "\n".join(clip_line(line, width, paint) for line in lines) + "\n"


def clip_line(line: str, width: int, paint: Paint) -> str:
    """Cut a line to the width, where it holds no colours that a cut could leave open."""
    return line if paint.has_colour else clip(line, max(width, 160))


def _head(plan: Plan, paint: Paint) -> Iterator[str]:
    event = plan.event
    yield f"{paint(plan.workflow, 'bold')}  {paint(plan.path, 'dim')}"
    commit = f"{event.sha[:10]} {event.ref or ''}".strip() if not event.is_deletion else "no commit yet"
    rows = [
        ("run", plan.run_name if plan.run_name != plan.workflow else ""),
        ("why", plan.reason or event.kind),
        ("commit", commit),
        ("inputs", _pairs(plan.inputs)),
        ("env", _pairs(plan.env)),
        ("priority", str(plan.priority) if plan.priority else ""),
    ]
    if plan.concurrency is not None:
        group = plan.concurrency
        rows.append(
            ("group", group.name + (" (cancels what runs in it)" if group.cancel_in_progress else ""))
        )
    yield from _rows(rows, paint, indent=2)
    for number, action in enumerate(plan.actions):
        yield _row("actions" if number == 0 else "", _pin(action), paint, indent=2)
    for number, call in enumerate(plan.calls.values()):
        yield _row("graphs" if number == 0 else "", _graph(plan, call), paint, indent=2)
    for note in plan.notes:
        yield _row("note", paint(note, "yellow"), paint, indent=2)


def _graph(plan: Plan, call: GraphCall) -> str:
    """A job that is a graph of jobs, with what it is given."""
    count = sum(job.startswith(f"{call.id}/") for job in plan.specs)
    given = _pairs({name: value for name, value in {**call.given, **call.late}.items() if value != ""})
    condition = f"  if {call.condition}" if call.condition else ""
    jobs = f"{count} {'job' if count == 1 else 'jobs'}"
    return f"{call.id} = {call.action.uses}: {jobs}{condition}{f'  with {given}' if given else ''}"


def _image(plan: Plan, name: str) -> str:
    """An image, and what the lock pins it to."""
    pinned = plan.images.get(name, "").rpartition("sha256:")[2][:12]
    return f"{name} → sha256:{pinned}…" if pinned else name


def _job(plan: Plan, spec: JobSpec, legs: list[PlannedJob], paint: Paint) -> Iterator[str]:
    needs = paint(f"  needs {', '.join(spec.needs)}", "dim") if spec.needs else ""
    title = spec.id if spec.name == spec.id else f"{spec.id}  “{spec.name}”"
    yield f"  {paint('○', 'cyan')} {paint(title, 'bold')}{needs}"
    seen = [contexts for _, contexts in planned_contexts(plan, legs)]
    services = (f"{service.name} ({_service_image(service, seen)})" for service in spec.services)
    rows = [
        ("if", spec.condition or ""),
        ("image", _images(plan, spec, seen)),
        *_step_rows(spec.steps, seen),
        ("with", _pairs(_with(spec))),
        *_matrix_rows(spec, legs),
        *(_mount_rows(spec) if spec.approval is None else ()),
        ("gpus", _gpus(spec.resources)),
        ("resources", _resources(spec.resources)),
        ("env", _pairs(spec.env)),
        ("secrets", ", ".join(spec.secrets)),
        ("services", ", ".join(services)),
        ("gate", spec.environment or (f"{spec.approval.action.uses}: people" if spec.approval else "")),
        ("expect", _pairs(spec.expect, sign=" ")),
        ("limits", _limits(spec)),
        ("group", spec.concurrency.name if spec.concurrency else ""),
        ("reuse", "asked for" if spec.reuse else ""),
    ]
    yield from _rows(rows, paint, indent=6)


def _images(plan: Plan, spec: JobSpec, seen: _Seen) -> str:
    """Those of all legs, each once."""
    found = dict.fromkeys(image for contexts in seen for image in images_of(spec, contexts))
    shown = [_image(plan, image) for image in list(found)[:_MOST_LEGS]]
    if len(found) > _MOST_LEGS:
        shown.append(f"… and {len(found) - _MOST_LEGS} more")
    return " · ".join(shown)


def _service_image(service: Service, seen: _Seen) -> str:
    return " · ".join(dict.fromkeys(image_text(service.image, contexts) for contexts in seen))


def _step_image(step: RunStep, seen: _Seen) -> str:
    found = (image for contexts in seen for image in images_of_steps([step], contexts))
    return " · ".join(dict.fromkeys(found))


def _step_rows(steps: Iterable[PlannedStep], seen: _Seen) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(steps):
        yield ("steps" if number == 0 else "", _step(step, seen))


def _with(spec: JobSpec) -> Mapping[str, Any]:
    """What a job hands to the one action that it is."""
    inputs: Mapping[str, Any] = {}
    if spec.approval is not None:
        inputs = spec.approval.inputs
    elif len(spec.steps) == 1 and not isinstance(spec.steps[0], RunStep):
        inputs = spec.steps[0].inputs
    return {name: value for name, value in inputs.items() if value not in ("", None, [])}


def _step(step: PlannedStep, seen: _Seen) -> str:
    condition = f"  if {step.frame.condition}" if step.frame.condition else ""
    match step:
        case RunStep():
            where = f" in {_step_image(step, seen)}" if step.image else ""
            return f"{step.frame.name}{where}{condition}"
        case ContainerStep():
            return f"{step.action.uses} → {_short(step.action)}: a container{condition}"
        case NodeStep():
            return f"{step.action.uses} → {_short(step.action)}: node {step.main}{condition}"
        case PythonStep():
            return f"{step.action.uses} → {_short(step.action)}: python {step.main}{condition}"
        case CompositeStep():
            inner = f"{len(step.steps)} {'step' if len(step.steps) == 1 else 'steps'}"
            return f"{step.action.uses} → {_short(step.action)}: {inner}{condition}"


def _matrix_rows(spec: JobSpec, legs: list[PlannedJob]) -> Iterator[tuple[str, str]]:
    if legs and legs[0].is_deferred:
        yield ("matrix", "known when the jobs that it needs have ended")
        return
    if spec.strategy is None or not legs[0].matrix:
        return
    bounds = [f"{len(legs)} jobs"]
    if spec.strategy.max_parallel:
        bounds.append(f"at most {spec.strategy.max_parallel} at once")
    if spec.strategy.fail_fast is True and len(legs) > 1:
        bounds.append("the first failure stops the others")
    yield ("matrix", ", ".join(bounds))
    for leg in legs[:_MOST_LEGS]:
        yield ("", _pairs(leg.matrix))
    if len(legs) > _MOST_LEGS:
        yield ("", f"… and {len(legs) - _MOST_LEGS} more")


def _mount_rows(spec: JobSpec) -> Iterator[tuple[str, str]]:
    rows = ["/workspace  ← the commit (a private copy)"] if spec.has_checkout else []
    rows += [f"/inputs/{item.name}  ← {_origin(item)} (read-only)" for item in spec.inputs]
    rows += [f"/outputs/{item.name}  → {_destination(item)}" for item in spec.outputs]
    for number, row in enumerate(rows):
        yield ("mounts" if number == 0 else "", row)


def _origin(item: JobInput) -> str:
    if item.job is not None:
        return f"{item.job}.outputs.{item.output}"
    if item.workflow_input is not None:
        return f"the workflow's input '{item.workflow_input}'"
    if item.ref is not None:
        return f"{item.type} {item.ref}"
    return _value(item.value)


def _destination(item: OutputSpec) -> str:
    if item.value is not None:
        return f"string {item.value}"
    return f"{item.type} {item.ref}" if item.ref else item.type


def _gpus(resources: Resources) -> str:
    gpu = resources.gpu
    if gpu is None or not gpu.count:
        return ""
    words = [
        str(gpu.count),
        gpu.model or "",
        f"with {size(gpu.memory_bytes)} each" if gpu.memory_bytes else "",
    ]
    return " ".join(word for word in words if word)


def _resources(resources: Resources) -> str:
    words = [
        f"{resources.cpu:g} CPUs" if resources.cpu else "",
        f"{size(resources.memory_bytes)} memory" if resources.memory_bytes else "",
        f"{size(resources.shm_bytes)} shared memory" if resources.shm_bytes else "",
        f"instance type {resources.instance_type}" if resources.instance_type else "",
        f"labels {', '.join(resources.labels)}" if resources.labels else "",
    ]
    return " · ".join(word for word in words if word)


def _limits(spec: JobSpec) -> str:
    words = [f"{spec.timeout_minutes} min" if spec.timeout_minutes is not None else ""]
    if spec.retry is not None and spec.retry.limit:
        words.append(f"{spec.retry.limit} more tries on {', '.join(spec.retry.on)}")
    if spec.continue_on_error:
        words.append("may fail")
    return " · ".join(word for word in words if word)


def _pin(action: ActionPin) -> str:
    return f"{action.uses} → {_short(action)}  {action.digest[:19]}…  ({action.source})"


def _short(action: ActionPin) -> str:
    return f"{action.name} {action.version}" if action.version else action.name


def _pairs(values: Mapping[str, Any], sign: str = "=") -> str:
    return " · ".join(f"{name}{sign}{_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(" ".join(text.split()), 80)


def _rows(rows: Iterable[tuple[str, str]], paint: Paint, *, indent: int) -> Iterator[str]:
    for label, text in rows:
        if text:
            yield _row(label, text, paint, indent=indent)


def _row(label: str, text: str, paint: Paint, *, indent: int) -> str:
    return f"{' ' * indent}{paint(f'{label:<10}', 'dim')}{text}"


def _count(plan: Plan) -> str:
    jobs, rows = len(plan.jobs), len(stages(plan))
    return f"{jobs} {'job' if jobs == 1 else 'jobs'} in {rows} {'stage' if rows == 1 else 'stages'}"
