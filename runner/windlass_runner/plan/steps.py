"""Steps as written, and the actions they use, to the steps that run: composite actions unfold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windlass_registry.documents import Position, Scalar, Value
from windlass_registry.errors import OperatorError
from windlass_registry.manifest import (
    ActionManifest,
    ActionStep,
    CompositeRuns,
    DockerRuns,
    PythonRuns,
)
from windlass_registry.resolver import Lock, ResolvedAction
from windlass_runner.plan.model import (
    ActionPin,
    CompositeStep,
    ContainerStep,
    PlannedStep,
    PythonStep,
    RunStep,
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
        version=action.version,
        digest=action.digest,
        source=action.source,
    )


def steps_of(job: Job, lock: Lock) -> tuple[PlannedStep, ...]:
    """The steps of a job: its own, or the one that its action is."""
    if job.uses is not None:
        frame = StepFrame(id=job.id, name=job.uses)
        return (_action(frame, job.uses, job.with_, lock),)
    return _sequence(job.steps, lock)


def _sequence(steps: Sequence[Step | ActionStep], lock: Lock) -> tuple[PlannedStep, ...]:
    return tuple(_step(number, step, lock) for number, step in enumerate(steps, start=1))


def _step(number: int, step: Step | ActionStep, lock: Lock) -> PlannedStep:
    frame = StepFrame(
        id=step.id or str(number),
        name=step.name or step.uses or _first_line(step.run or ""),
        condition=step.condition,
        env=step.env,
        continue_on_error=step.continue_on_error,
        timeout_minutes=step.timeout_minutes,
    )
    if step.uses is not None:
        return _action(frame, step.uses, step.with_, lock)
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


def _action(frame: StepFrame, uses: str, with_: Mapping[str, Value], lock: Lock) -> PlannedStep:
    action = lock.actions[uses]
    inputs = merge_inputs(action.manifest, with_)
    code: dict[str, str] = {
        name: declared.code for name, declared in action.manifest.inputs.items() if declared.code
    }
    match action.manifest.runs:
        case DockerRuns(pre_entrypoint=str()) | DockerRuns(post_entrypoint=str()):
            raise NoEngineYet(
                f"action '{uses}' has a pre- or post-entrypoint, which this runner cannot run yet",
                remedy="use a release of it without one",
                uses=uses,
            )
        case DockerRuns() as runs:
            return ContainerStep(
                frame=frame,
                action=pin(action),
                inputs=inputs,
                image=runs.image,
                entrypoint=runs.entrypoint,
                args=runs.args,
                action_env=runs.env,
                code=code,
            )
        case PythonRuns() as runs:
            return PythonStep(
                frame=frame, action=pin(action), inputs=inputs, main=runs.main, image=runs.image, code=code
            )
        case CompositeRuns() as runs:
            outputs = {name: out.value for name, out in action.manifest.outputs.items() if out.value}
            return CompositeStep(
                frame=frame,
                action=pin(action),
                inputs=inputs,
                outputs=outputs,
                steps=_sequence(runs.steps, lock),
                code=code,
            )
        case other:
            raise NoEngineYet(
                f"action '{uses}' is of the kind 'using: {other.using}', which this runner cannot run yet",
                remedy="use an action of the kind docker, composite or python",
                uses=uses,
            )


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


def leaves(steps: Sequence[PlannedStep]) -> list[RunStep | ContainerStep | PythonStep]:
    """The steps that start something, in order, composites unfolded."""
    found: list[RunStep | ContainerStep | PythonStep] = []
    for step in steps:
        if isinstance(step, CompositeStep):
            found.extend(leaves(step.steps))
        else:
            found.append(step)
    return found


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
