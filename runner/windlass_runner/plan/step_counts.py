"""How many steps composite actions come to, counted without unfolding them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from windlass_registry.manifest import CompositeRuns
from windlass_registry.resolver import Lock

MOST_STEPS: Final = 2_000
"""How many steps a job may have, with those of its actions. A few short files can stand for millions."""


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
