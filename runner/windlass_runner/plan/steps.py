"""Steps as written, and the actions they use, to the steps that run: composite actions unfold."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.documents import Position, Scalar, Value
from windlass_registry.errors import OperatorError
from windlass_registry.manifest import (
    ActionManifest,
    ActionStep,
    ApprovalRuns,
    CompositeRuns,
    DockerRuns,
    GraphRuns,
    NodeRuns,
    PythonRuns,
    ServedApp,
)
from windlass_registry.resolver import Lock, ResolvedAction
from windlass_runner.plan.model import (
    ActionPin,
    CompositeStep,
    ContainerStep,
    LeafStep,
    NodeStep,
    PlannedApproval,
    PlannedStep,
    PythonStep,
    RunStep,
    Stage,
    StepFrame,
)
from windlass_runner.workflow.model import Job, Resources, Step

_WITHOUT_TEXT = frozenset((int, float, bool, type(None), Position, ActionPin, Resources))


class NoEngineYet(OperatorError):
    """Understood, checked and planned, but this version of the runner cannot carry it out. `uses`: the
    action that asks for it, as written."""

    def __init__(self, message: str, *, remedy: str | None = None, uses: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.uses = uses


def pin(action: ResolvedAction) -> ActionPin:
    """The action as the run records it."""
    return ActionPin(
        uses=action.uses,
        name=action.name,
        version=action.version or action.commit,
        digest=action.digest,
        source=action.source,
    )


_EXPRESSION: Final = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_HELD: Final = re.compile("\0([0-9]+)\0")
NODE_IMAGES: Final[Mapping[str, str]] = {
    "node12": "node:12-bullseye-slim",
    "node16": "node:16-bookworm-slim",
    "node20": "node:20-bookworm-slim",
    "node24": "node:24-bookworm-slim",
}
"""Where JavaScript actions run, by what their `runs.using` says, unless the settings name other images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The actions that a workflow uses, and the images of those that bring none."""

    lock: Lock
    node_images: Mapping[str, str] = field(default_factory=dict)


def steps_of(job: Job, packages: Packages) -> tuple[PlannedStep, ...]:
    """The steps of a job: its own, or the one that its action is; an approval has none."""
    if job.uses is not None and isinstance(packages.lock.actions[job.uses].manifest.runs, ApprovalRuns):
        return ()
    if job.uses is not None:
        frame = StepFrame(id=job.id, name=job.uses)
        return (_action(frame, job.uses, job.with_, packages),)
    return _sequence(job.steps, packages)


def approval_of(job: Job, lock: Lock) -> PlannedApproval | None:
    """The approval that a job is; None: it is none."""
    action = lock.actions.get(job.uses or "")
    if action is None or not isinstance(action.manifest.runs, ApprovalRuns):
        return None
    runs = action.manifest.runs
    return PlannedApproval(
        action=pin(action),
        inputs=merge_inputs(action.manifest, job.with_),
        message=runs.message,
        approvers=runs.approvers,
        approvals=runs.approvals,
        timeout_minutes=runs.timeout_minutes,
    )


def _sequence(steps: Sequence[Step | ActionStep], packages: Packages) -> tuple[PlannedStep, ...]:
    return tuple(_step(number, step, packages) for number, step in enumerate(steps, start=1))


def _step(number: int, step: Step | ActionStep, packages: Packages) -> PlannedStep:
    frame = StepFrame(
        id=step.id or str(number),
        name=step.name or step.uses or _first_line(step.run or ""),
        condition=step.condition,
        env=step.env,
        continue_on_error=step.continue_on_error,
        timeout_minutes=step.timeout_minutes,
    )
    if step.uses is not None:
        return _action(frame, step.uses, step.with_, packages)
    return RunStep(
        frame=frame,
        script=step.run or "",
        shell=step.shell,
        image=step.image,
        working_directory=step.working_directory,
    )


def _first_line(script: str) -> str:
    line = next((line.strip() for line in script.splitlines() if line.strip()), "")
    return f"Run {line}"[:80]


def _action(frame: StepFrame, uses: str, with_: Mapping[str, Value], packages: Packages) -> PlannedStep:
    action = packages.lock.actions[uses]
    manifest = action.manifest
    inputs = merge_inputs(manifest, with_)
    code: dict[str, str] = {
        name: declared.code for name, declared in manifest.inputs.items() if declared.code
    }
    match manifest.runs:
        case DockerRuns() as runs:
            return _container(frame, action, runs, inputs, code)
        case PythonRuns() as runs:
            return PythonStep(
                frame=frame,
                action=pin(action),
                inputs=inputs,
                main=runs.main,
                image=runs.image,
                requirements=runs.requirements,
                code=code,
            )
        case NodeRuns() as runs:
            return NodeStep(
                frame=frame,
                action=pin(action),
                inputs=inputs,
                main=runs.main,
                image=packages.node_images.get(runs.using) or NODE_IMAGES[runs.using],
                code=code,
                pre=_stage(runs.pre, runs.pre_if),
                post=_stage(runs.post, runs.post_if),
            )
        case CompositeRuns() as runs:
            outputs = {name: out.value for name, out in manifest.outputs.items() if out.value}
            return CompositeStep(
                frame=frame,
                action=pin(action),
                inputs=inputs,
                outputs=outputs,
                steps=_sequence(runs.steps, packages),
                code=code,
            )
        case ApprovalRuns():
            raise NoEngineYet(
                f"action '{uses}' is an approval, which is a job of its own and no step",
                remedy="write it under 'uses' of a job that the next ones need",
                uses=uses,
            )
        case GraphRuns():
            raise NoEngineYet(
                f"action '{uses}' is a graph of jobs, which stands for a job and is no step",
                remedy="write it under 'uses' of a job",
                uses=uses,
            )


def _container(
    frame: StepFrame,
    action: ResolvedAction,
    runs: DockerRuns,
    inputs: dict[str, Value],
    code: Mapping[str, str],
) -> ContainerStep:
    """GitHub lets every `with` of a docker action set `entrypoint`, and `args` where the action has none."""
    declared = action.manifest.inputs
    given = {name: inputs.pop(name, None) for name in ("entrypoint", "args") if name not in declared}
    return ContainerStep(
        frame=frame,
        action=pin(action),
        inputs=inputs,
        image=runs.image,
        entrypoint=runs.entrypoint if given.get("entrypoint") is None else given["entrypoint"],
        args=_argument_words(given.get("args")) if runs.args is None else runs.args,
        action_env=runs.env,
        code=code,
        pre=_stage(runs.pre_entrypoint, runs.pre_if),
        post=_stage(runs.post_entrypoint, runs.post_if),
    )


def _argument_words(written: Value) -> Value:
    """A text of several words is several arguments, as on GitHub. What an expression gives stays in one."""
    if not isinstance(written, str):
        return written
    held: list[str] = _EXPRESSION.findall(written)
    kept = iter(range(len(held)))
    try:
        words = shlex.split(_EXPRESSION.sub(lambda _: f"\0{next(kept)}\0", written))
    except ValueError:  # a quote without its end
        return [written]
    return [_HELD.sub(lambda found: held[int(found[1])], word) for word in words]


def _stage(program: str | None, condition: str | None) -> Stage | None:
    return None if program is None else Stage(program=program, condition=condition)


def merge_inputs(manifest: ActionManifest, with_: Mapping[str, Value]) -> dict[str, Value]:
    """The action's declared inputs under their own names, `with` over the defaults.

    Names ignore case, as GitHub's do; older spellings (`aliases`) are taken too.
    """
    given = {name.lower(): value for name, value in with_.items()}
    merged: dict[str, Value] = {}
    for name, declared in manifest.inputs.items():
        merged[name] = declared.default
        for spelling in (*declared.aliases, name):
            if spelling.lower() in given:
                merged[name] = given.pop(spelling.lower())
    merged.update(given)
    return merged


def leaves(steps: Sequence[PlannedStep]) -> list[LeafStep]:
    """The steps that start something, in order, composites unfolded."""
    found: list[LeafStep] = []
    for step in steps:
        if isinstance(step, CompositeStep):
            found.extend(leaves(step.steps))
        else:
            found.append(step)
    return found


def commands_of(steps: Sequence[PlannedStep]) -> int:
    """How many commands a job has, with what its actions do before the first step and after the last."""
    return sum(1 + sum(stage is not None for stage in stages_of(step)) for step in leaves(steps))


def stages_of(step: LeafStep) -> tuple[Stage | None, Stage | None]:
    """What a step does before the job's first one, and after its last."""
    return (step.pre, step.post) if isinstance(step, ContainerStep | NodeStep) else (None, None)


def is_like_githubs(step: LeafStep) -> bool:
    """Whether a step finds its folders where GitHub's actions look for them: those that bring an image of
    their own, or Node.js. What runs in an image of the workflow's choice is left as that image is."""
    return isinstance(step, NodeStep) or (isinstance(step, ContainerStep) and "${{" not in step.image)


def keeps_folders(steps: Sequence[PlannedStep], lock: Lock) -> bool:
    """Whether an action among them asks to keep folders for later runs."""
    return any(
        lock.actions[step.action.uses].manifest.permissions.get("cache") is True
        or (isinstance(step, CompositeStep) and keeps_folders(step.steps, lock))
        for step in steps
        if not isinstance(step, RunStep)
    )


def served_app(steps: Sequence[PlannedStep], lock: Lock) -> ServedApp | None:
    """What the first action among them that is an app serves; None: none is."""
    for step in steps:
        if isinstance(step, RunStep):
            continue
        app = lock.actions[step.action.uses].manifest.app
        if app is None and isinstance(step, CompositeStep):
            app = served_app(step.steps, lock)
        if app is not None:
            return app
    return None


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a dataclass or JSON-like value, keys of mappings included."""
    stack = [value]
    while stack:
        item = stack.pop()
        cls = item.__class__
        if cls is str:
            yield item
        elif cls is dict:
            stack.extend(item)
            stack.extend(item.values())
        elif cls is tuple or cls is list:
            stack.extend(item)
        elif cls not in _WITHOUT_TEXT and hasattr(cls, "__dataclass_fields__"):
            stack.extend([getattr(item, name) for name in cls.__dataclass_fields__])


def scalars(*layers: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Several environments laid over each other; the last wins."""
    merged: dict[str, Scalar] = {}
    for layer in layers:
        merged.update(layer)
    return merged
