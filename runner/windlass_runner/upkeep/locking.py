"""What several workflows of a repository use, looked up together: what its lock pins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.choosing import HeldBack, Rules
from windlass_registry.errors import Problem
from windlass_registry.lock import Lock, LockFile, ResolvedAction
from windlass_registry.resolver import Fetching
from windlass_runner.run.looking_up import look_up_actions
from windlass_runner.workflow.model import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """All workflows of a repository, and what they use."""

    lock: Lock
    workflows: tuple[Workflow, ...]
    problems: tuple[Problem, ...]
    """Errors alone."""

    def beside(self, pins: LockFile | None) -> Lock:
        """What to write in place of `pins`, of which all but the actions is kept."""
        if pins is None:
            return self.lock
        return replace(self.lock, images=pins.images, datasets=pins.datasets, models=pins.models)


def look_up_workflows(
    workflows: Iterable[Workflow],
    *,
    root: Path,
    pins: LockFile | None,
    catalog: Catalog,
    rules: Rules | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Looked:
    """The workflows with what they use; what is wrong with one is told, and holds up no other."""
    actions: dict[str, ResolvedAction] = {}
    held_back: dict[str, tuple[HeldBack, ...]] = {}
    young: frozenset[str] = frozenset()
    seen: list[Workflow] = []
    unpinned: set[str] = set()
    warnings: dict[str, None] = {}
    problems: list[Problem] = []
    for workflow in workflows:
        lock, found = look_up_actions(
            workflow, root=root, pins=pins, catalog=catalog, rules=rules, on_fetch=on_fetch
        )
        seen.append(workflow)
        problems += found
        actions.update(lock.actions)
        held_back.update(lock.held_back)
        young |= lock.young
        unpinned.update(lock.unpinned)
        warnings.update(dict.fromkeys(lock.warnings))
    return Looked(
        lock=Lock(
            actions=dict(sorted(actions.items())),
            unpinned=tuple(sorted(unpinned)),
            warnings=tuple(warnings),
            held_back=held_back,
            young=young,
        ),
        workflows=tuple(seen),
        problems=tuple(problem for problem in problems if problem.severity == "error"),
    )
