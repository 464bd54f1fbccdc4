"""`windlass run` and `windlass rerun` when the plan is there: all that the run itself needs."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_registry.errors import OperatorError
from windlass_runner.commands.earlier import results_before
from windlass_runner.commands.early_lanes import EarlyLanes
from windlass_runner.commands.engine_choice import HostChoice, choose_host, open_engine
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.local_run import Workbench, sweep
from windlass_runner.commands.planning import (
    own_settings,
)
from windlass_runner.commands.preparing import given_secrets, jobs_from
from windlass_runner.commands.telling import run_and_tell
from windlass_runner.engines.base import Engine
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, JobUpdate, RunRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan
from windlass_runner.run.environments import Environments, no_environments
from windlass_runner.run.prepare import new_run
from windlass_runner.run.storage import Storage

if TYPE_CHECKING:
    pass


def run_prepared(
    arguments: Namespace,
    invocation: Invocation,
    plan: Plan,
    *,
    root: Path,
    storage: Storage,
    engine: Engine,
    host: HostChoice,
    secrets: Mapping[str, str],
    early: EarlyLanes,
) -> int:
    """Carry the plan out; the exit code. `early`: its lanes, being opened."""
    with Ledger.open(storage.ledger) as ledger:
        bench = Workbench(
            root=root,
            storage=storage,
            ledger=ledger,
            engine=engine,
            git=Git(environment=invocation.environment),
            secrets=secrets,
            parallelism=arguments.parallel or host.parallelism,
            host=host.name,
            clock=time.time,
            early=early,
            environments=_environments(arguments, invocation, plan),
        )
        for run_id in sweep(bench):
            invocation.say(f"note: cleared away run {run_id}, whose process was killed")
        kept = _kept(arguments, bench, plan)
        run = new_run(plan, repository=plan.event.repository, snapshot=str(root))
        return run_and_tell(bench, run, plan=plan, kept=kept, arguments=arguments, invocation=invocation)


def _environments(arguments: Namespace, invocation: Invocation, plan: Plan) -> Environments:
    """What the settings of this folder say of environments, where the plan names any."""
    if all(spec.environment is None for spec in plan.specs.values()):
        return no_environments
    settings = own_settings(arguments, invocation)
    if settings is None:
        return no_environments
    from windlass_runner.daemon.environment_settings import described

    return described(settings.environments, settings.repositories, invocation.environment)


def _kept(arguments: Namespace, bench: Workbench, plan: Plan) -> tuple[JobUpdate, ...]:
    """With `--from`: the results of the jobs before it, from the last runs that have them.

    Raises:
        AuthorError: a job before it never succeeded here.
    """
    if arguments.start is None:
        return ()
    again = jobs_from(plan, arguments.start)
    before = [job for job in plan.jobs if job.job_id not in again]
    return results_before(bench.ledger, plan, before)


def run_again(
    arguments: Namespace, invocation: Invocation, ledger: Ledger, storage: Storage, old: RunRecord
) -> int:
    """A local run once more, in the working tree as it is now; the exit code.

    Raises:
        OperatorError: it has not ended.
    """
    from windlass_runner.daemon.rerun import plan_rerun

    if old.state not in FINAL:
        raise OperatorError(f"run {old.id} has not ended", remedy="wait for it, or stop it")
    plan_text = ledger.runs.plan(old.id)
    plan = loads(Plan, plan_text)
    settings = own_settings(arguments, invocation)
    host = choose_host(None, engine=arguments.engine, settings=settings)
    engine = open_engine(
        host.engine, storage=storage, environment=invocation.environment, address=host.docker
    )
    try:
        engine.facts()
        rerun = plan_rerun(
            old,
            plan=plan_text,
            event=ledger.runs.event(old.id),
            jobs=ledger.runs.jobs(old.id),
            failed_only=arguments.failed,
            at=time.time(),
        )
        bench = Workbench(
            root=storage.root.parents[1],
            storage=storage,
            ledger=ledger,
            engine=engine,
            git=Git(environment=invocation.environment),
            secrets=given_secrets(arguments, invocation, plan),
            parallelism=host.parallelism,
            host=host.name,
            clock=time.time,
            environments=_environments(arguments, invocation, plan),
        )
        return run_and_tell(
            bench, rerun.run, plan=plan, kept=rerun.kept, arguments=arguments, invocation=invocation
        )
    finally:
        engine.close()
