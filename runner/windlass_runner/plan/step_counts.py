"""How many steps composite actions come to, counted without unfolding them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import CompositeRuns
from windlass_registry.resolver import Lock
from windlass_runner.workflow.model import Job, Workflow

MOST_STEPS: Final = 2_000
"""How many steps a job may have, with those of its actions. A few short files can stand for millions."""


def refuse_too_many(workflow: Workflow, job: Job, lock: Lock) -> None:
    """Hold a job to `MOST_STEPS`.

    Raises:
        AuthorError: at the step that comes to most of them.
    """
    used = [job.uses] if job.uses is not None else [step.uses for step in job.steps]
    counts = count_steps(used, lock)
    if sum(counts) <= MOST_STEPS:
        return
    at = job.uses_at or job.at
    if job.uses is None:
        most = job.steps[counts.index(max(counts))]
        at = most.uses_at or most.at
    message = f"the job '{job.id}' has more than {MOST_STEPS:,} steps, with those of its actions"
    remedy = "use actions of fewer steps, or more jobs"
    raise AuthorError(
        Problem(path=workflow.path, line=at.line, column=at.column, message=message, remedy=remedy)
    )


def count_steps(used: Sequence[str | None], lock: Lock) -> list[int]:
    """The steps that each `uses` comes to; None: a step that uses no action. No action is read twice."""
    counted: dict[str, int] = {}

    def count(uses: str | None) -> int:
        if uses is None:
            return 1
        if uses not in counted:
            runs = lock.actions[uses].manifest.runs
            inner = runs.steps if isinstance(runs, CompositeRuns) else ()
            counted[uses] = 1 + sum(count(step.uses) for step in inner)
        return counted[uses]

    return [count(uses) for uses in used]
