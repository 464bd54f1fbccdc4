"""A workflow of a mirrored commit, planned: its own actions from the commit's tree, its lock from the
commit's lock file, every package that it uses put into the store. Called by `daemon.pushes`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from windlass_registry.catalog import Catalog
from windlass_registry.documents import Position, compose, merged_items
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lock import LockFile
from windlass_registry.lockfile import LOCK_PATH, parse_lock
from windlass_registry.policy import Policy
from windlass_registry.sources.git import GitUnavailable
from windlass_registry.store import Store
from windlass_runner.daemon.pushes import Source
from windlass_runner.daemon.workflows import FoundWorkflow
from windlass_runner.forges.git import Git
from windlass_runner.ledger.records import NewRun
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan, outermost
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.looking_up import all_problems, places_of_actions
from windlass_runner.run.prepare import Lacking, new_run, plan_run, what_cannot_run
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import ParsedWorkflow


class CommitPlanning:
    """Implements `daemon.pushes.Planning`. Safe to use from several threads."""

    def __init__(
        self,
        *,
        git: Git,
        packages: Store,
        catalog: Catalog,
        options: PlanOptions,
        policy: Policy | None = None,
    ) -> None:
        self._git = git
        self._packages = packages
        self._catalog = catalog
        self._options = options
        self._policy = policy or Policy()

    def __call__(self, found: FoundWorkflow, *, event: Event, reason: str, source: Source) -> NewRun:
        """The run of a workflow for an event.

        Raises:
            AuthorError: the problems that `windlass validate` finds, or what keeps a valid file from running.
        """
        said = found.inspection.workflow
        if said is None:
            raise AuthorError(*found.inspection.problems)
        pins, of_lock = self._pins(event, source)
        root = _checked_out(source.mirror, event) if uses_own_actions(said) else Path("/nonexistent")
        if of_lock or found.workflow is None:
            raise AuthorError(
                *of_lock,
                *all_problems(
                    found.inspection,
                    root=root,
                    pins=pins,
                    catalog=self._catalog,
                    policy=self._policy,
                    options=self._options,
                ),
            )
        try:
            plan = plan_run(
                ParsedWorkflow(workflow=found.workflow, warnings=found.inspection.problems),
                event=event,
                reason=reason,
                root=root,
                pins=pins,
                catalog=self._catalog,
                options=self._options,
                packages=self._packages,
                policy=self._policy,
            )
        except NoEngineYet as error:
            raise AuthorError(_without_engine(error, found.workflow)) from error
        except GitUnavailable as error:  # not a server that we chose: nothing else waits for it
            raise AuthorError(_unavailable(error, found.workflow)) from error
        except AuthorError as error:  # of its actions, or of this event: the first are told with the rest
            problems = all_problems(
                found.inspection,
                root=root,
                pins=pins,
                catalog=self._catalog,
                policy=self._policy,
                options=self._options,
            )
            is_of_file = any(problem.severity == "error" for problem in problems)
            raise AuthorError(*(problems if is_of_file else error.problems)) from error
        if lacking := _lacking(plan, found.content):
            raise AuthorError(*lacking)
        return new_run(plan, repository=event.repository)

    def _problems(self, found: FoundWorkflow, root: Path, pins: LockFile | None) -> tuple[Problem, ...]:
        return all_problems(
            found.inspection,
            root=root,
            pins=pins,
            catalog=self._catalog,
            policy=self._policy,
            options=self._options,
        )

    def _pins(self, event: Event, source: Source) -> tuple[LockFile | None, tuple[Problem, ...]]:
        written = self._git.read_file(source.objects, event.workflow_sha, LOCK_PATH)
        try:
            return (parse_lock(written, LOCK_PATH) if written is not None else None), ()
        except AuthorError as error:
            return None, error.problems


def _checked_out(mirror: Mirror, event: Event) -> Path:
    sha = event.workflow_sha
    ref = event.ref if sha == event.sha else f"refs/heads/{event.base_ref}"
    mirror.fetch(ref=ref or sha, sha=sha)
    return mirror.checkout(sha)


def uses_own_actions(workflow: Workflow) -> bool:
    """Whether it names an action of its own repository (`./…`)."""
    jobs = workflow.jobs.values()
    named = [job.uses for job in jobs] + [step.uses for job in jobs for step in job.steps]
    return any(uses is not None and uses.startswith((".", "$/")) for uses in named)


def _unavailable(error: GitUnavailable, workflow: Workflow) -> Problem:
    remedy = "start it again when it does, or pin it with 'windlass lock' where it is on this machine"
    return Problem(path=workflow.path, line=0, column=0, message=error.message, remedy=remedy)


def _without_engine(error: NoEngineYet, workflow: Workflow) -> Problem:
    """An action that cannot be run yet, at its `uses`; the file's, where an action's own step names it."""
    at = places_of_actions(workflow).get(error.uses or "", Position(line=0, column=0))
    return Problem(
        path=workflow.path, line=at.line, column=at.column, message=error.message, remedy=error.remedy
    )


def _lacking(plan: Plan, content: bytes) -> list[Problem]:
    """What the jobs ask for and no engine does yet, each at its key."""
    found = list(what_cannot_run(plan))
    root = compose(content, path=plan.path) if found else None
    problems = []
    for one in found:
        at = _position(root, one)
        problems.append(
            Problem(path=plan.path, line=at.line, column=at.column, message=one.message, remedy=one.remedy)
        )
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _position(root: yaml.Node | None, lacking: Lacking) -> Position:
    """Where the key stands at its job, or under `defaults` where the job has it from there; the nearest one
    around it where another spelling stands for it."""
    at_job = _walk(root, ("jobs", outermost(lacking.job_id), *lacking.keys))
    at_defaults = _walk(root, ("defaults", *lacking.keys))
    places = at_defaults if len(at_job) <= 2 and len(at_defaults) > 1 else at_job
    return places[-1] if places else Position(line=0, column=0)


def _walk(node: yaml.Node | None, keys: Sequence[str]) -> list[Position]:
    """The places of these nested keys, as far as they are written."""
    places = []
    for key in keys:
        items = merged_items(node) if isinstance(node, yaml.MappingNode) else []
        pair = next((pair for pair in items if pair[0].value == key), None)
        if pair is None:
            break
        places.append(Position.of(pair[0]))
        node = pair[1]
    return places
