"""What all workflows of a repository use, pinned: for `lock` and `init`."""

from __future__ import annotations

from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock import Lock, LockFile, ResolvedAction
from windlass_runner.commands.workflow_files import find_files, load_file
from windlass_runner.run.prepare import look_up_actions
from windlass_runner.workflow.parse import parse_workflow


def lock_repository(
    root: Path, *, pins: LockFile | None, catalog: Catalog
) -> tuple[Lock, tuple[Problem, ...]]:
    """Everything that the workflow files use, and the problems of those that are left out."""
    actions: dict[str, ResolvedAction] = {}
    unpinned: list[str] = []
    problems: list[Problem] = []
    for file in find_files([], root):
        try:
            parsed = parse_workflow(load_file(file), path=file.shown)
        except AuthorError as error:
            problems += error.problems
            continue
        lock, found = look_up_actions(parsed.workflow, root=root, pins=pins, catalog=catalog)
        problems += found
        actions.update(lock.actions)
        unpinned += lock.unpinned
    errors = tuple(problem for problem in problems if problem.severity == "error")
    return Lock(actions=dict(sorted(actions.items())), unpinned=tuple(sorted(set(unpinned)))), errors
