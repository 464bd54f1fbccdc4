"""The images that jobs run in, as far as they are known before a run (`known_images`, for a lock and for the
rules of a runner) and before the first job of one (`planned_images`).

An expression's value is known where it comes from a matrix that is written out, from `env`, or from inputs:
from each option of a choice, both values of a boolean, and the default of any other. What a graph of jobs is
given from these is known as well. What a job puts out, a secret, the event and what somebody gives to a run
are not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from windlass_registry.documents import Scalar
from windlass_registry.manifest_runs import is_dockerfile
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.references import ANY, references
from windlass_runner.expressions.templates import evaluate_value, parse_template
from windlass_runner.plan.expansion import expand
from windlass_runner.plan.given import typed
from windlass_runner.plan.images import is_image_name, named_images
from windlass_runner.plan.matrix import MatrixError
from windlass_runner.plan.model import (
    CompositeStep,
    ContainerStep,
    GraphCall,
    JobSpec,
    Plan,
    PlannedJob,
    PlannedStep,
)
from windlass_runner.plan.steps import leaves, texts_in
from windlass_runner.workflow.model import InputSpec, Workflow

_LEGS: Final = 1000
"""How many combinations of a matrix are looked at."""
_WAYS: Final = 256
"""How many combinations of inputs are looked at."""
_SETTLED: Final = frozenset({"matrix", "inputs", "env", "strategy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImages:
    """The images of one job."""

    names: tuple[str, ...] = ()
    """Every value that is known, each once, in order."""
    open: tuple[str, ...] = ()
    """Texts that may come to stand for another image when the job runs, as they were written."""


def known_images(spec: JobSpec, workflow: Workflow, calls: Mapping[str, GraphCall]) -> KnownImages:
    """The images of a job, of its steps, actions and services, without an event. `calls`: the graphs of the
    workflow."""
    texts = _as_written(spec)
    if not any("${{" in text for text in texts):
        return KnownImages(names=tuple(filter(is_image_name, named_images(spec, {}))))
    env = workflow.env if spec.call is None else {}  # a graph sees nothing of it
    named = _named_inputs([*texts, *_behind(spec, env)])
    found: dict[str, None] = {}
    for way in itertools.islice(_ways(workflow.inputs, _named_outside(named, spec.call, calls)), _WAYS):
        inputs = _inputs_within(spec.call, calls, way, named)
        for contexts in _legs(spec, {"inputs": inputs, "env": _env(spec, env, {"inputs": inputs})}):
            contexts["env"] = _env(spec, env, contexts)
            found.update(dict.fromkeys(named_images(spec, contexts)))
    written = [text for text in named_images(spec, {}) if "${{" in text]
    free = [text for text in written if _is_free(text, spec, env, workflow.inputs, calls)]
    return KnownImages(
        names=tuple(name for name in found if is_image_name(name)),
        open=tuple(free or (text for text in found if "${{" in text)),
    )


def _named_outside(named: set[str], call: str | None, calls: Mapping[str, GraphCall]) -> set[str]:
    """The inputs of the workflow that these inputs of a graph are drawn from."""
    while call is not None:
        late = calls[call].late
        named = _named_inputs(texts_in([late[name] for name in late if name in named or ANY in named]))
        call = calls[call].around
    return named


def _inputs_within(
    call: str | None, calls: Mapping[str, GraphCall], way: Mapping[str, Any], named: Iterable[str]
) -> dict[str, Any]:
    """What a graph is given where the workflow's inputs are these; the text that names it where that is not
    known."""
    if call is None:
        return dict(way)
    graph = calls[call]
    around = _inputs_within(graph.around, calls, way, _named_inputs(texts_in([dict(graph.late)])))
    strategy = {"job-index": graph.index, "job-total": graph.total}
    seen = {"inputs": around, "matrix": graph.matrix, "strategy": strategy}
    inputs: dict[str, Any] = {name: _unknown(name) for name in named if name != ANY}
    for name, written in graph.late.items():
        try:
            value = typed(graph.types.get(name), evaluate_value(written, seen))
        except ExpressionError:
            value = _unknown(name)
        inputs[name] = _unknown(name) if isinstance(value, str) and "${{" in value else value
    return {**inputs, **graph.given}


def _unknown(name: str) -> str:
    """What stands for an input that only a run settles."""
    return f"${{{{ inputs.{name} }}}}"


def planned_images(plan: Plan) -> dict[str, str]:
    """The images that are known before the first job of a run starts, each with the first job that names it.
    Of jobs whose matrix another job's output gives, only what does not depend on that."""
    found: dict[str, str] = {}
    for spec, contexts in planned_contexts(plan, plan.jobs):
        for image in named_images(spec, contexts):
            if is_image_name(image):
                found.setdefault(image, spec.id)
    return found


def planned_contexts(plan: Plan, jobs: Iterable[PlannedJob]) -> Iterator[tuple[JobSpec, dict[str, Any]]]:
    """What the images of these jobs may be drawn from, as far as it is known before the first of them starts;
    once for all those that a matrix makes of a job and whose images cannot differ."""
    axes: dict[str, tuple[str, ...] | None] = {}
    done: set[str] = set()
    for job in jobs:
        spec = plan.specs[job.job_id]
        if spec.id not in axes:
            axes[spec.id] = _axes(spec, plan.env)
        names = axes[spec.id]
        mark = job.key if names is None else job.job_id
        if names:
            mark += json.dumps([job.matrix.get(name) for name in names], sort_keys=True)
        if mark not in done:
            done.add(mark)
            yield spec, _contexts(plan, spec, job)


def _axes(spec: JobSpec, env: Mapping[str, Scalar]) -> tuple[str, ...] | None:
    """The keys of its matrix on which the images of a job depend; None: perhaps on all, or on the leg's
    number."""
    texts = _as_written(spec)
    if not any("${{" in text for text in texts):
        return ()
    paths = [path for path in _paths([*texts, *_behind(spec, env)]) if path[0] in ("matrix", "strategy")]
    if any(path[0] == "strategy" or len(path) == 1 or path[1] == ANY for path in paths):
        return None
    return tuple(sorted({path[1] for path in paths}))


def _contexts(plan: Plan, spec: JobSpec, job: PlannedJob) -> dict[str, Any]:
    contexts: dict[str, Any] = {"inputs": plan.inputs}
    if spec.call is not None:
        late = {name: f"${{{{ inputs.{name} }}}}" for name in plan.calls[spec.call].late}
        contexts["inputs"] = {**late, **spec.given}
    if not job.is_deferred:
        contexts["matrix"] = job.matrix
        contexts["strategy"] = {"job-index": job.index, "job-total": job.total}
    contexts["env"] = _env(spec, plan.env if spec.call is None else {}, contexts)
    return contexts


def _as_written(spec: JobSpec) -> list[str]:
    """The texts that name images, before anything is put into them."""
    named = [step.image or "" for step in leaves(spec.steps)]
    return [spec.image, *(service.image for service in spec.services), *named]


def _behind(spec: JobSpec, env: Mapping[str, Scalar]) -> Iterator[str]:
    """What these texts may draw from."""
    yield from texts_in([spec.strategy, dict(spec.env), dict(env)])
    yield from texts_in(list(_handed_over(spec.steps)))


def _handed_over(steps: Sequence[PlannedStep]) -> Iterator[Any]:
    for step in steps:
        yield dict(step.frame.env)
        if isinstance(step, CompositeStep):
            yield dict(step.inputs)
            yield from _handed_over(step.steps)
        elif isinstance(step, ContainerStep) and not is_dockerfile(step.image):
            yield dict(step.inputs)


def _paths(texts: Iterable[str]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for text in texts:
        if "${{" in text:
            for part in parse_template(text).expressions:
                found |= references(part.node)
    return found


def _named_inputs(texts: Iterable[str]) -> set[str]:
    """Inputs of the workflow (and of actions, which does no harm); `*` where one is named by a value."""
    paths = {path for path in _paths(texts) if path[0] == "inputs"}
    return {path[1] if len(path) > 1 else ANY for path in paths}


def _ways(inputs: Mapping[str, InputSpec], named: set[str]) -> Iterator[dict[str, Any]]:
    """The inputs in every way in which they can be known; those that no image names in one way."""
    columns = [
        [(name, value) for value in (values if name in named or ANY in named else values[:1])]
        for name, values in ((name, _values(spec)) for name, spec in inputs.items())
    ]
    return (dict(way) for way in itertools.product(*columns))


def _values(spec: InputSpec) -> list[Any]:
    """What an input may be, the default first; the text that names it where nothing is known."""
    default = spec.default if spec.default is not None else spec.ref
    match spec.type:
        case "boolean":
            return [default is True, default is not True]
        case "choice":
            none = [] if default is not None or spec.required else [""]
            return [*none, *sorted(spec.options, key=lambda option: option != default)]
        case _ if default is not None:
            return [default]
        case _ if spec.required:
            return [_unknown(spec.name)]
        case "number":
            return [None]
        case _:
            return [""]


def _is_closed(
    name: str, call: str | None, inputs: Mapping[str, InputSpec], calls: Mapping[str, GraphCall]
) -> bool:
    """Whether all that an input may be is written in the workflow. `inputs`: the workflow's own."""
    if call is None:
        return name in inputs and inputs[name].type in ("boolean", "choice")
    graph = calls[call]
    if name not in graph.late:
        return name in graph.given
    paths = _paths(texts_in(graph.late[name]))
    return all(
        path[0] in ("matrix", "strategy")
        or (path[0] == "inputs" and len(path) > 1 and _is_closed(path[1], graph.around, inputs, calls))
        for path in paths
    )


def _legs(spec: JobSpec, contexts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the job's expressions see in each leg of its matrix; no `matrix` where a run alone settles it."""
    try:
        legs = expand(spec, contexts, limit=_LEGS)
    except (ExpressionError, MatrixError):
        legs = []
    if not legs or any(leg.is_deferred for leg in legs):
        yield dict(contexts)
        return
    for leg in legs:
        strategy = {"job-index": leg.index, "job-total": leg.total}
        yield {**contexts, "matrix": leg.matrix, "strategy": strategy}


def _env(spec: JobSpec, of_workflow: Mapping[str, Scalar], contexts: Mapping[str, Any]) -> dict[str, Any]:
    """`env` as a job sees it; what is not known stands there as it was written."""
    env: dict[str, Any] = {}
    for layer in (of_workflow, spec.env):
        seen = {**contexts, "env": dict(env)}
        for name, written in layer.items():
            try:
                env[name] = evaluate_value(written, seen)
            except ExpressionError:
                env[name] = written
    return env


def _is_free(
    text: str,
    spec: JobSpec,
    env: Mapping[str, Scalar],
    inputs: Mapping[str, InputSpec],
    calls: Mapping[str, GraphCall],
) -> bool:
    """Whether a text may come to be what nobody knows before the run, whatever it is by default. `env` and
    `inputs`: the workflow's."""
    paths = _paths([text])
    layers = [env, spec.env, *(step.frame.env for step in leaves(spec.steps))]
    for name in {path[-1] for path in paths if path[0] == "env"}:
        written = [value for layer in layers for key, value in layer.items() if name in (key, "env", ANY)]
        if not written:
            return True
        paths = paths | _paths(texts_in(written))
    if any(path[0] == "matrix" for path in paths):
        paths = paths | _paths(texts_in([spec.strategy]))
    if any(path[0] not in _SETTLED for path in paths):
        return True
    named = {path[1] if len(path) > 1 else ANY for path in paths if path[0] == "inputs"}
    return any(not _is_closed(name, spec.call, inputs, calls) for name in named)
