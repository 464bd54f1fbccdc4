"""What actions do before the first step of a job and after its last one: GitHub's `pre` and `post`.

Source: https://docs.github.com/actions/reference/metadata-syntax-reference#runspre
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from windlass_runner.plan.model import CompositeStep, ContainerStep, NodeStep, PlannedStep, Stage
from windlass_runner.plan.steps import stages_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """One stage of one action of a job."""

    word: Literal["pre", "post"]
    step: ContainerStep | NodeStep
    stage: Stage
    path: str
    """Of the step, with the ids of the composite actions around it."""
    around: tuple[CompositeStep, ...] = ()
    """These, from the outside in."""


def first_stages(steps: Sequence[PlannedStep]) -> list[Staged]:
    """What runs before the first step, in the order of the steps."""
    return [staged for staged in _stages(steps, (), "") if staged.word == "pre"]


def last_stages(steps: Sequence[PlannedStep]) -> list[Staged]:
    """What runs after the last step: what was begun first ends last."""
    return [staged for staged in _stages(steps, (), "") if staged.word == "post"][::-1]


def _stages(steps: Sequence[PlannedStep], around: tuple[CompositeStep, ...], path: str) -> Iterator[Staged]:
    for step in steps:
        own = f"{path}{step.frame.id}"
        if isinstance(step, CompositeStep):
            yield from _stages(step.steps, (*around, step), f"{own}/")
        elif isinstance(step, ContainerStep | NodeStep):
            pre, post = stages_of(step)
            if pre is not None:
                yield Staged(word="pre", step=step, stage=pre, path=own, around=around)
            if post is not None:
                yield Staged(word="post", step=step, stage=post, path=own, around=around)


def program_of(staged: Staged) -> ContainerStep | NodeStep:
    """The step with the stage's program in place of its main one."""
    if isinstance(staged.step, NodeStep):
        return replace(staged.step, main=staged.stage.program)
    return replace(staged.step, entrypoint=staged.stage.program)
