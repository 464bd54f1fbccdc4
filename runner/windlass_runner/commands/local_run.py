"""Carries a run out in this process: the daemon's conductor, without a daemon, in the working tree."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from windlass_registry.errors import OperatorError
from windlass_registry.store import Store
from windlass_runner.commands.early_lanes import EarlyLanes, clear_left_lanes
from windlass_runner.commands.following import Display, Follower
from windlass_runner.commands.interrupts import Interrupts
from windlass_runner.commands.local_state import OUT
from windlass_runner.commands.run_view import RunView
from windlass_runner.data.trees import copy_entry, link_tree, remove_tree
from windlass_runner.engines.base import Engine
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import (
    EventDraft,
    JobRecord,
    JobUpdate,
    NewRun,
    RunUpdate,
)
from windlass_runner.plan.model import Plan
from windlass_runner.run.conductor import Conductor
from windlass_runner.run.environments import Environments, no_environments
from windlass_runner.run.host import Host
from windlass_runner.run.storage import Storage, slug
from windlass_runner.run.workspace import snapshot_working_tree

if TYPE_CHECKING:
    from windlass_runner.commands.doorkeeper import Doorkeeper

TICK_S: Final = 0.1
HARD_STOP_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What local runs of one repository work with."""

    root: Path
    storage: Storage
    ledger: Ledger
    engine: Engine
    git: Git
    secrets: Mapping[str, str]
    parallelism: int
    host: str
    clock: Callable[[], float]
    early: EarlyLanes | None = None
    environments: Environments = no_environments


def carry_out(
    bench: Workbench,
    new: NewRun,
    *,
    plan: Plan,
    kept: Sequence[JobUpdate] = (),
    display_of: Callable[[RunView], Display],
    interrupts: Interrupts,
    doorkeeper: Doorkeeper | None = None,
) -> RunView:
    """Run it to its end, shown live. Outputs then lie in the repository's `.windlass/out/<run>`.

    `plan`: what `new` has as text. `kept`: jobs that are not run, because an earlier run's results are
    taken. `doorkeeper`: who answers to its gates, where it has any.
    """
    ledger, storage = bench.ledger, bench.storage
    with ledger.transaction():
        wanted = bench.early.run_id if bench.early is not None else None
        run_id = ledger.runs.create(new, at=bench.clock(), wanted_id=wanted)
        assert run_id is not None  # only a key could be taken already
        if kept:
            ledger.runs.record(run_id, jobs=kept, at=bench.clock())
    with _alive(storage, run_id):
        snapshot = storage.scratch(run_id) / "snapshot"
        conductor = Conductor(_host(bench, snapshot))
        try:
            snapshot_working_tree(bench.git, bench.root, snapshot)
            if bench.early is not None:
                bench.early.keep_for(run_id)
                bench.early.close()
            view = _watch(
                bench,
                conductor,
                run_id,
                plan,
                display_of=display_of,
                interrupts=interrupts,
                doorkeeper=doorkeeper,
            )
        except BaseException:
            _clear_away(bench, run_id)
            raise
        finally:
            conductor.close()
    lay_out(bench.root, storage, run_id, ledger.runs.jobs(run_id))
    return view


def _host(bench: Workbench, snapshot: Path) -> Host:
    return Host(
        ledger=bench.ledger,
        engine=bench.engine,
        storage=bench.storage,
        action_folder=Store(bench.storage.packages).path,
        fill_workspace=lambda _run, folder: _fill(snapshot, folder),
        secret=bench.secrets.get,
        clock=bench.clock,
        parallelism=bench.parallelism,
        name=bench.host,
        environments=bench.environments,
        is_attended=True,
        is_reported=False,
        waits_for_engine=False,
    )


def _fill(snapshot: Path, folder: Path) -> None:
    for entry in os.scandir(snapshot):
        target = folder / entry.name
        if not target.exists() and not target.is_symlink():
            copy_entry(entry.path, str(target))


def _watch(
    bench: Workbench,
    conductor: Conductor,
    run_id: str,
    plan: Plan,
    *,
    display_of: Callable[[RunView], Display],
    interrupts: Interrupts,
    doorkeeper: Doorkeeper | None,
) -> RunView:
    follower = Follower(bench.ledger, bench.storage, run_id)
    display = display_of(follower.view)
    interrupts.on_first = lambda: conductor.cancel(run_id, reason="interrupted at the keyboard")
    interrupts.on_second = lambda: conductor.cancel(run_id, reason="killed at the keyboard", force=True)
    is_asked = False
    try:
        conductor.begin(run_id, plan)
        if interrupts.count:  # it came before there was anything to stop
            conductor.cancel(run_id, reason="interrupted at the keyboard")
        while conductor.wait(run_id, timeout_s=TICK_S) is None and not interrupts.is_hard_over(HARD_STOP_S):
            lines = follower.read()
            if doorkeeper is None or not doorkeeper.hides(display):
                display.update(follower.view, lines)
            if doorkeeper is not None and doorkeeper.attend(follower.view, display):
                conductor.look_at_gates(run_id)  # also at what was answered in another terminal
            if follower.view.is_cancelling and not interrupts.count and not is_asked:
                is_asked = True
                conductor.cancel(run_id, reason="cancelled by hand")
        if not bench.ledger.runs.get(run_id).ended_at:
            _abandon(bench, run_id)
        display.update(follower.view, follower.read())
    finally:
        display.close(follower.view)
    return follower.view


def _abandon(bench: Workbench, run_id: str) -> None:
    """Write down that nobody will go on with a run."""
    at = bench.clock()
    jobs = [job for job in bench.ledger.runs.jobs(run_id) if job.ended_at is None]
    bench.ledger.runs.record(
        run_id,
        run=RunUpdate(state="cancelled", reason="its process ended before it did", ended_at=at),
        jobs=[JobUpdate(key=job.key, state="cancelled", ended_at=at) for job in jobs],
        events=[EventDraft(kind="run.ended", data={"state": "cancelled"})],
        at=at,
    )
    for job in jobs:
        bench.ledger.deployments.change(run_id, job.key, state="cancelled", reason="", at=at)


def sweep(bench: Workbench) -> tuple[str, ...]:
    """Clear away local runs whose process was killed: their containers, networks and scratch."""
    clear_left_lanes(bench.engine, bench.storage)
    dead = [run.id for run in bench.ledger.runs.unfinished() if not _is_alive(bench.storage, run.id)]
    for run_id in dead:
        _clear_away(bench, run_id)
    return tuple(dead)


def _clear_away(bench: Workbench, run_id: str) -> None:
    with contextlib.suppress(OperatorError):  # the engine is gone, and with it what could be removed
        bench.engine.destroy(run_id)
    remove_tree(bench.storage.scratch(run_id))
    if bench.ledger.runs.get(run_id).ended_at is None:
        _abandon(bench, run_id)


@contextlib.contextmanager
def _alive(storage: Storage, run_id: str) -> Iterator[None]:
    """Hold a lock that the system takes back when this process ends, however it does."""
    path = storage.run(run_id) / "alive"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _is_alive(storage: Storage, run_id: str) -> bool:
    try:
        with (storage.run(run_id) / "alive").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def lay_out(root: Path, storage: Storage, run_id: str, jobs: Sequence[JobRecord]) -> Path | None:
    """Put the run's outputs where people look for them; nothing is copied where links can be made."""
    target = root / OUT / run_id
    for job in jobs:
        for name, output in job.outputs.items():
            source = Path(str(output.get("path") or ""))
            if not output.get("path") or not source.exists():
                continue
            place = target / slug(job.key) / name
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                link_tree(source, place)
    if not target.is_dir():
        return None
    latest = root / OUT / "latest"
    fresh = root / OUT / f".latest-{os.getpid()}"
    fresh.symlink_to(run_id)
    fresh.replace(latest)
    return target
