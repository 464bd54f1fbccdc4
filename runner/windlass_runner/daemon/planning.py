"""A workflow of a mirrored commit, planned: its own actions from the commit's tree, its lock from the
commit's lock file, every package that it uses put into the store. Called by `daemon.pushes`."""

from __future__ import annotations

from pathlib import Path

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.lockfile import LOCK_PATH, parse_lock
from windlass_registry.store import Store
from windlass_runner.daemon.pushes import Source
from windlass_runner.forges.git import Git
from windlass_runner.ledger.records import NewRun
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.steps import NoEngineYet
from windlass_runner.run.prepare import new_run, plan_run, refuse_what_cannot_run
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Workflow
from windlass_runner.workflow.parse import ParsedWorkflow


class CommitPlanning:
    """Implements `daemon.pushes.Planning`. Safe to use from several threads."""

    def __init__(self, *, git: Git, packages: Store, options: PlanOptions) -> None:
        self._git = git
        self._packages = packages
        self._options = options

    def __call__(self, parsed: ParsedWorkflow, *, event: Event, reason: str, source: Source) -> NewRun:
        """The run of a workflow for an event. Raises AuthorError."""
        workflow = parsed.workflow
        written = self._git.read_file(source.objects, event.sha, LOCK_PATH)
        pins = parse_lock(written, LOCK_PATH) if written is not None else None
        root = _checked_out(source.mirror, event) if uses_own_actions(workflow) else Path("/nonexistent")
        try:
            plan = plan_run(
                parsed,
                event=event,
                reason=reason,
                root=root,
                pins=pins,
                options=self._options,
                packages=self._packages,
            )
            refuse_what_cannot_run(plan)
        except NoEngineYet as error:
            message = error.message.removeprefix(f"{workflow.path}: ")
            problem = Problem(path=workflow.path, line=0, column=0, message=message, remedy=error.remedy)
            raise AuthorError(problem) from error
        return new_run(plan, repository=event.repository)


def _checked_out(mirror: Mirror, event: Event) -> Path:
    mirror.fetch(ref=event.ref or event.sha, sha=event.sha)
    return mirror.checkout(event.sha)


def uses_own_actions(workflow: Workflow) -> bool:
    """Whether it names an action of its own repository (`./…`)."""
    jobs = workflow.jobs.values()
    named = [job.uses for job in jobs] + [step.uses for job in jobs for step in job.steps]
    return any(uses is not None and uses.startswith((".", "$/")) for uses in named)
