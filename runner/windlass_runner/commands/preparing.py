"""The plan of what `windlass run` was asked for, and the secrets that it was given.

Imports nothing of the ledger: what can be wrong with a file is told before anything else is loaded.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.near_words import did_you_mean
from windlass_registry.store import Store
from windlass_runner.commands.fetch_news import fetch_news
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import merged
from windlass_runner.commands.planning import actor, load_workflow, make_plan, repository_of
from windlass_runner.commands.registries import open_catalog
from windlass_runner.commands.workflow_files import WorkflowFile
from windlass_runner.plan.model import Plan
from windlass_runner.run.prepare import refuse_what_cannot_run, select_jobs, with_dependants
from windlass_runner.run.storage import Storage

if TYPE_CHECKING:
    from windlass_runner.daemon.settings import Settings


def prepare(
    arguments: Namespace,
    invocation: Invocation,
    file: WorkflowFile,
    *,
    storage: Storage,
    settings: Settings | None,
) -> tuple[Plan, dict[str, str]]:
    """The plan of what is wanted of a file, and the values of the secrets that were given.

    Raises:
        AuthorError: every problem of the file, its actions or the inputs; an unknown job.
        OperatorError: what this runner cannot do yet; a secret without a value.
    """
    repository = repository_of(file, invocation)
    event = repository.by_hand(merged(arguments.inputs), actor=actor(invocation.environment))
    plan = make_plan(
        load_workflow(file),
        event,
        reason="run at the command line",
        root=file.root,
        catalog=open_catalog(invocation, config=arguments.config),
        settings=settings,
        packages=Store(storage.packages),
        on_fetch=fetch_news(invocation),
    )
    plan = _selected(plan, arguments)
    refuse_what_cannot_run(plan)
    return plan, given_secrets(arguments, invocation, plan)


def _selected(plan: Plan, arguments: Namespace) -> Plan:
    """The part of the plan that is wanted, with all that it needs."""
    wanted = {job for name in arguments.job for job in job_ids_of(plan, name)}
    if arguments.start is not None:
        behind = jobs_from(plan, arguments.start)
        wanted = {job for job in wanted if job in behind} or set(behind)
    return select_jobs(plan, frozenset(wanted)) if wanted else plan


def jobs_from(plan: Plan, name: str) -> frozenset[str]:
    """What `--from` means: a job, or all of a graph, and whatever depends on that."""
    return frozenset(job for start in job_ids_of(plan, name) for job in with_dependants(plan, start))


def job_ids_of(plan: Plan, name: str) -> frozenset[str]:
    """A job by its id, or by the key or name of one of its matrix; all jobs of a graph by the id of that.

    Raises:
        AuthorError: there is none.
    """
    if name in plan.specs:
        return frozenset({name})
    for job in plan.jobs:
        if name in (job.key, job.name):
            return frozenset({job.job_id})
    calls = [call.id for call in plan.calls.values() if name in (call.id, call.job_id)]
    if found := [job for job in plan.specs for call in calls if job.startswith(f"{call}/")]:
        return frozenset(found)
    problem = Problem(
        path=plan.path,
        line=0,
        column=0,
        message=f"the workflow has no job '{name}'",
        remedy=did_you_mean(name, {**plan.specs, **{call.job_id: call for call in plan.calls.values()}}),
    )
    raise AuthorError(problem)


def given_secrets(arguments: Namespace, invocation: Invocation, plan: Plan) -> dict[str, str]:
    """The values of the secrets that were named, from the environment."""
    values: dict[str, str] = {}
    for name in arguments.secret:
        if name not in invocation.environment:
            raise OperatorError(
                f"the environment has no variable '{name}' for the secret", remedy=f"set it: export {name}=…"
            )
        values[name] = invocation.environment[name]
    for spec in plan.specs.values():
        for name in spec.secrets:
            if name not in values:
                invocation.say(
                    f"note: job '{spec.id}' asks for the secret {name}, which is empty: --secret {name}"
                )
    return values
