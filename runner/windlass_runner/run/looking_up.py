"""What the `uses` of a workflow mean, with everything that is wrong with them at its place.

For planning, `windlass validate` and `windlass lock`, so that all of them say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.choosing import Rules
from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock import Lock, LockFile
from windlass_registry.lock_parts import with_parts
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.policy import Policy
from windlass_registry.resolver import Fetching, ResolutionError, resolve
from windlass_registry.sources.local import load_local
from windlass_runner.plan.compile import PlanOptions, job_graph
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.image_checks import ImageRules
from windlass_runner.workflow.calls import check_graphs
from windlass_runner.workflow.lint import check_actions
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import Inspection


def resolve_actions(
    workflow: Workflow,
    *,
    root: Path,
    pins: LockFile | None,
    catalog: Catalog,
    policy: Policy | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> Lock:
    """The packages that a workflow uses, with what it hands them checked against their manifests.

    Raises:
        AuthorError: all of them that cannot be resolved or are misused, each at its place.
    """
    rules = Rules(policy=policy or Policy())
    lock, problems = look_up_actions(
        workflow, root=root, pins=pins, catalog=catalog, rules=rules, on_fetch=on_fetch
    )
    if any(problem.severity == "error" for problem in problems):
        raise AuthorError(*sorted(problems, key=lambda one: (one.line, one.column)))
    return replace(lock, warnings=(*lock.warnings, *map(str, problems))) if problems else lock


def look_up_actions(
    workflow: Workflow,
    *,
    root: Path,
    pins: LockFile | None,
    catalog: Catalog,
    rules: Rules | None = None,
    on_fetch: Callable[[Fetching], None] | None = None,
) -> tuple[Lock, tuple[Problem, ...]]:
    """As `resolve_actions`; what is wrong comes as values, beside what could be resolved."""
    rules = rules or Rules()
    places = places_of_actions(workflow)
    problems: list[Problem] = []
    wanted = list(places)
    lock = Lock()
    while wanted:
        try:
            lock = resolve(
                wanted,
                catalog=catalog,
                lock=pins,
                local=lambda ref: load_local(root, ref),
                rules=rules,
                on_fetch=on_fetch or _unheard,
            )
            break
        except AuthorError as error:
            return Lock(), error.problems
        except ResolutionError as error:
            problems.extend(_unresolved(workflow, places, each) for each in error.errors)
            failed = {each.uses for each in error.errors}
            wanted = [uses for uses in wanted if uses not in failed]
    if rules.policy.require_lock:
        problems.extend(_lacking_pins(workflow, places, lock, pins))
    manifests = {uses: action.manifest for uses, action in with_parts(lock).actions.items()}
    return lock, (*problems, *check_actions(workflow, manifests), *check_graphs(workflow, manifests))


def _unheard(_fetching: Fetching) -> None:
    pass


def _lacking_pins(
    workflow: Workflow, places: Mapping[str, Position], lock: Lock, pins: LockFile | None
) -> Iterator[Problem]:
    """What is not pinned, where the owner of the machine asks for that; what an action uses in turn is told
    where the action is used."""
    pinned = pins.pins if pins is not None else {}
    told = {uses for uses, action in lock.actions.items() if action.source == "local"} | pinned.keys()
    for root, at in places.items():
        waiting = [(root, "")] if root in lock.actions else []
        seen = {root}
        while waiting:
            uses, path = waiting.pop()
            if uses not in told:
                told.add(uses)
                message = (
                    f"'{uses}' is not in {LOCK_PATH}, and the settings of this runner ask for that{path}"
                )
                yield _problem(workflow, at, message, "run 'windlass lock', and commit the file")
            inner = [each for each in lock.actions[uses].manifest.uses() if each not in seen]
            seen.update(inner)
            waiting += [(each, f" (used by {root})") for each in inner]


def _problem(workflow: Workflow, at: Position, message: str, remedy: str | None) -> Problem:
    return Problem(path=workflow.path, line=at.line, column=at.column, message=message, remedy=remedy)


def all_problems(
    found: Inspection,
    *,
    root: Path,
    pins: LockFile | None,
    catalog: Catalog,
    policy: Policy | None = None,
    options: PlanOptions | None = None,
) -> tuple[Problem, ...]:
    """All that is wrong with a file and with what it hands its actions, in the order of the text."""
    if found.workflow is None:
        return found.problems
    policy = policy or Policy()
    lock, misused = look_up_actions(
        found.workflow, root=root, pins=pins, catalog=catalog, rules=Rules(policy=policy)
    )
    images = ImageRules(
        workflow=found.workflow,
        places=places_of_actions(found.workflow),
        lock=lock,
        pins=pins,
        policy=policy,
        options=options or PlanOptions(),
    )
    misused = (*misused, *images.as_written())
    if not any(problem.severity == "error" for problem in (*found.problems, *misused)):
        misused = (*misused, *_unplannable(found.workflow, lock, options or PlanOptions()))
    known = {_place(problem) for problem in found.problems if problem.severity == "error"}
    further = [problem for problem in misused if _place(problem) not in known]
    return tuple(sorted([*found.problems, *further], key=_place))


def _unplannable(workflow: Workflow, lock: Lock, options: PlanOptions) -> tuple[Problem, ...]:
    """What is wrong with the jobs once steps of actions and jobs of graphs are put in their place."""
    try:
        job_graph(workflow, lock, options)
    except NoEngineYet:  # well written
        return ()
    except AuthorError as error:
        return error.problems
    return ()


def _place(problem: Problem) -> tuple[str, int, int]:
    return (problem.path, problem.line, problem.column)


def _unresolved(workflow: Workflow, places: Mapping[str, Position], error: ResolutionError) -> Problem:
    return _problem(workflow, places[error.uses], error.message, error.remedy)


def places_of_actions(workflow: Workflow) -> dict[str, Position]:
    """Every `uses` text and where it stands first."""
    return dict(reversed(list(_places(workflow))))


def _places(workflow: Workflow) -> Iterator[tuple[str, Position]]:
    """Every `uses` text and where it stands, in the order of the text."""
    for job in workflow.jobs.values():
        if job.uses is not None:
            yield job.uses, job.uses_at or job.at
        for step in job.steps:
            if step.uses is not None:
                yield step.uses, step.uses_at or step.at
