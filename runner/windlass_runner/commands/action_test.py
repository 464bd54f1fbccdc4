"""`windlass action test`: an action's examples, each run as a job, and held against what they promise."""

from __future__ import annotations

import contextlib
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from windlass_registry.archive import read_folder, write_entries
from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import ActionManifest, Example
from windlass_registry.sources.packages import load_package
from windlass_registry.store import Store
from windlass_runner.commands.action_examples import (
    JOB,
    Difference,
    check_expressions,
    chosen_examples,
    differences,
    workflow_of,
)
from windlass_runner.commands.engine_choice import HostChoice, choose_host, open_engine
from windlass_runner.commands.interrupts import Interrupts
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.local_run import Workbench, carry_out
from windlass_runner.commands.measures import open_peaks, tell_and_keep
from windlass_runner.commands.paint import Paint, duration, tame
from windlass_runner.commands.planning import actor, make_plan, own_settings
from windlass_runner.commands.preparing import given_secrets
from windlass_runner.commands.registries import open_catalog
from windlass_runner.commands.run_view import RunView
from windlass_runner.commands.summary import render_summary
from windlass_runner.commands.telling import choose_display, doorkeeper_of, failure_tail
from windlass_runner.data.trees import remove_tree
from windlass_runner.engines.base import Engine
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.plan.model import Plan
from windlass_runner.run.graph_outputs import outputs_of_graph
from windlass_runner.run.prepare import new_run, refuse_what_cannot_run
from windlass_runner.run.storage import Storage
from windlass_runner.workflow.events import NO_COMMIT, Event

if TYPE_CHECKING:
    from windlass_runner.daemon.settings import Settings

_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one example."""

    example: str
    state: str
    seconds: float
    reason: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def is_good(self) -> bool:
        return self.state == "success" and not self.differences


def test_action(arguments: Namespace, invocation: Invocation) -> int:
    """0 where every example does what it says, 1 where one does not.

    Raises:
        AuthorError: no action there, no examples, or what they say cannot run.
        OperatorError: the engine is not there.
    """
    folder = (invocation.folder / arguments.folder).resolve()
    manifest, path = _load(folder, shown=arguments.folder)
    for warning in manifest.warnings:
        invocation.say(str(warning))
    examples = chosen_examples(manifest, arguments.example, is_all=arguments.all, path=path)
    for example in manifest.examples if not arguments.example else ():
        if example not in examples:
            wants = " and ".join(example.needs)
            invocation.say(f"left out: '{tame(example.name)}' needs {wants}; --all runs it too")
    if not examples:
        invocation.say("no example is left to run here")
        return 0
    settings = own_settings(arguments, invocation)
    host = choose_host(None, engine=arguments.engine, settings=settings)
    with _scratch() as scratch:
        tree = scratch / "tree" / (folder.name.strip(".") or "action")
        write_entries(read_folder(folder), tree)  # what would be published, and nothing beside it
        storage = Storage(scratch / "state")
        plan_of = _Planning(
            manifest=manifest,
            path=path,
            tree=tree,
            event=_event(folder, actor(invocation.environment)),
            image=arguments.image,
            settings=settings,
            catalog=open_catalog(invocation),
            packages=Store(storage.packages),
        ).plan
        plans = [(example, plan_of(example)) for example in examples]
        peaks = open_peaks(arguments.measure)
        engine = open_engine(
            host.engine,
            storage=storage,
            environment=invocation.environment,
            address=host.docker,
            peaks=peaks,
        )
        with contextlib.closing(engine), Ledger.open(storage.ledger) as ledger:
            for note in engine.facts().notes:
                invocation.say(f"note: {note}")
            run = _Run(tree, storage, ledger, engine, host, arguments, invocation)
            code = run.all(plans)
        taken = [result.seconds for result in run.results]
        if peaks is not None and taken and code == 0:
            tell_and_keep(taken, peaks, folder, arguments.measure, invocation)
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planning:
    """How every example of one action is planned."""

    manifest: ActionManifest
    path: str
    tree: Path
    event: Event
    image: str | None
    settings: Settings | None
    catalog: Catalog
    packages: Store

    def plan(self, example: Example) -> Plan:
        check_expressions(example, path=self.path)
        parsed = workflow_of(
            example, self.manifest, uses=f"./{self.tree.name}", image=self.image, path=self.path
        )
        plan = make_plan(
            parsed,
            self.event,
            reason="an example of the action",
            root=self.tree.parent,
            catalog=self.catalog,
            settings=self.settings,
            packages=self.packages,
        )
        refuse_what_cannot_run(plan)
        return plan


def _load(folder: Path, *, shown: str) -> tuple[ActionManifest, str]:
    package = load_package(folder, shown_as=shown.rstrip("/")) if folder.is_dir() else None
    if package is None:
        raise AuthorError(
            Problem(
                path=shown,
                line=0,
                column=0,
                message="there is no action.yml here",
                remedy="name an action's folder, or make one with 'windlass action new NAME'",
            )
        )
    names = ("action.yml", "action.yaml")
    name = next(name for name in names if (folder / name).exists())
    return package.manifest, name if shown == "." else f"{shown.rstrip('/')}/{name}"


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that the engine on this machine can see; gone afterwards, with what jobs made read-only."""
    scratch = Path(tempfile.mkdtemp(prefix="windlass-action-"))
    scratch.chmod(0o755)
    try:
        yield scratch
    finally:
        remove_tree(scratch)


def _event(folder: Path, who: str) -> Event:
    return Event(
        kind="workflow_dispatch",
        repository=folder.as_uri(),
        ref="refs/heads/main",
        sha=NO_COMMIT,
        actor=who,
        payload={"inputs": {}},
    )


class _Run:
    """One call of the command, once everything is planned."""

    def __init__(
        self,
        tree: Path,
        storage: Storage,
        ledger: Ledger,
        engine: Engine,
        host: HostChoice,
        arguments: Namespace,
        invocation: Invocation,
    ) -> None:
        self._tree = tree
        self._storage = storage
        self._ledger = ledger
        self._engine = engine
        self._host = host
        self._arguments = arguments
        self._invocation = invocation
        self._paint = Paint(invocation.has_colour(invocation.out))
        self.results: list[Result] = []

    def all(self, plans: list[tuple[Example, Plan]]) -> int:
        """Run them one after the other; the exit code."""
        results = self.results
        for example, plan in plans:
            view, is_interrupted = self._carry_out(plan)
            if is_interrupted:
                return _INTERRUPTED
            result = _result(example, view, plan)
            results.append(result)
            self._tell(result, view)
        if not self._arguments.json:
            good = sum(result.is_good for result in results)
            word = "example" if len(results) == 1 else "examples"
            self._invocation.print(f"{good} of {len(results)} {word} as promised")
        return 0 if all(result.is_good for result in results) else 1

    def _carry_out(self, plan: Plan) -> tuple[RunView, bool]:
        bench = Workbench(
            root=self._tree,
            storage=self._storage,
            ledger=self._ledger,
            engine=self._engine,
            git=Git(environment=self._invocation.environment),
            secrets=given_secrets(self._arguments, self._invocation, plan),
            parallelism=self._host.parallelism,
            host=self._host.name,
            clock=time.time,
        )
        run = new_run(plan, repository=plan.event.repository, snapshot=str(self._tree))
        with Interrupts(clock=bench.clock) as interrupts:
            view = carry_out(
                bench,
                run,
                plan=plan,
                display_of=lambda view: choose_display(self._arguments, self._invocation, view),
                interrupts=interrupts,
                doorkeeper=doorkeeper_of(plan, self._ledger, Namespace(yes=True), self._invocation),
            )
        return view, bool(interrupts.count)

    def _tell(self, result: Result, view: RunView) -> None:
        if self._arguments.json:
            self._invocation.print_json(_json(result))
            return
        paint, out = self._paint, self._invocation
        if result.state != "success":
            tail = failure_tail(view, self._storage)
            out.out.write(render_summary(view, paint=paint, now=time.time(), tail=tail))
            return
        word = "success" if result.is_good else "failure"
        took = duration(result.seconds)
        out.print(f"{paint.mark(word)} {paint(tame(result.example), 'bold')}  {took}")
        for each in result.differences:
            out.print(f"    {tame(each.where)}")
            for line in each.expected.split("\n"):
                out.print(paint(f"      - {tame(line)}", "red"))
            for line in each.found.split("\n"):
                out.print(paint(f"      + {tame(line)}", "green"))


def _result(example: Example, view: RunView, plan: Plan) -> Result:
    run = view.run
    records = [job.record for job in view.jobs.values() if job.record is not None]
    if JOB in view.jobs:
        reason = view.jobs[JOB].reason
        outputs: Mapping[str, Any] = next((each.outputs for each in records if each.key == JOB), {})
    else:  # it is a graph of jobs
        reason = next((job.reason for job in view.jobs.values() if job.key == view.failed_first), "")
        outputs = outputs_of_graph(plan, JOB, records)
    return Result(
        example=example.name,
        state=view.state,
        seconds=(run.ended_at or 0.0) - (run.started_at or run.ended_at or 0.0),
        reason=reason,
        differences=differences(example, outputs) if view.state == "success" else (),
    )


def _json(result: Result) -> dict[str, Any]:
    return {
        "example": result.example,
        "ok": result.is_good,
        "state": result.state,
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "differences": [asdict(each) for each in result.differences],
    }
