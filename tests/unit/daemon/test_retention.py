from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.ledger.ledger_values import new_run
from windlass_registry.documents import Position
from windlass_runner.daemon.mirror_upkeep import UNWATCHED_KEPT_S, MirrorUpkeep
from windlass_runner.daemon.output_retention import DAY_S
from windlass_runner.daemon.retention import Retention
from windlass_runner.daemon.settings import StorageSettings
from windlass_runner.forges.git import Git
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, NewJob, RunUpdate, State
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.removal import left_half_removed, remove_run
from windlass_runner.run.storage import Storage
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import OutputSpec

NOW = 1000 * DAY_S


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


@pytest.fixture
def ledger(storage: Storage) -> Iterator[Ledger]:
    with Ledger.open(storage.ledger) as opened:
        yield opened


def ended(ledger: Ledger, storage: Storage, *, age: float, state: State = "failure", **changes: Any) -> str:
    """A run that ended so many days ago, with a log and an artifact."""
    at = NOW - age * DAY_S
    run_id = ledger.runs.create(new_run(**changes), at=at)
    assert run_id is not None
    ledger.runs.record(run_id, run=RunUpdate(state=state, ended_at=at), at=at)
    for place in (storage.log(run_id, "fit", 1), storage.outputs(run_id, "fit") / "model" / "weights"):
        place.parent.mkdir(parents=True)
        place.write_bytes(b"x" * 4096)
        place.parent.chmod(0o555)
    return run_id


def retention(
    ledger: Ledger, storage: Storage, *, watched: frozenset[str] = frozenset(), **keeps: int
) -> Retention:
    """One whose first round begins now."""
    return Retention(
        ledger=ledger,
        storage=storage,
        keeps=StorageSettings(path=storage.root, **keeps),
        upkeep=MirrorUpkeep(Git(environment=os.environ), storage.root),
        mirror_keys=lambda: watched,
        clock=lambda: NOW,
        monotonic=lambda: 0.0,
        first_after_s=0.0,
    )


def is_known(ledger: Ledger, run_id: str) -> bool:
    try:
        return ledger.runs.get(run_id).id == run_id
    except UnknownRun:
        return False


def test_a_round_removes_old_runs_with_their_files_and_says_so(ledger: Ledger, storage: Storage) -> None:
    old, newer = ended(ledger, storage, age=91), ended(ledger, storage, age=10)
    kept = retention(ledger, storage)
    assert kept.turn() == 3600
    assert not is_known(ledger, old)
    assert [place.name for place in storage.runs.iterdir()] == [newer]
    state = kept.state()
    assert (state.removed, state.to_remove, state.problem) == (1, 0, None)
    assert state.use is not None
    assert state.use.runs > 8000
    assert state.use.ledger > 0


def test_nothing_goes_where_runs_are_kept_for_ever(ledger: Ledger, storage: Storage) -> None:
    runs = {ended(ledger, storage, age=age) for age in (5000, 4000)}
    retention(ledger, storage, keep_runs_days=0).turn()
    assert {place.name for place in storage.runs.iterdir()} == runs


def test_logs_and_artifacts_may_go_before_their_run(ledger: Ledger, storage: Storage) -> None:
    old, newest = ended(ledger, storage, age=31), ended(ledger, storage, age=30.5)
    retention(ledger, storage, keep_logs_days=30).turn()
    assert [place.name for place in storage.run(old).iterdir()] == ["outputs"]
    retention(ledger, storage, keep_artifacts_days=30).turn()
    assert list(storage.run(old).iterdir()) == []
    assert is_known(ledger, old)
    assert len(list(storage.run(newest).iterdir())) == 2


def test_nothing_happens_before_its_time(ledger: Ledger, storage: Storage) -> None:
    old, _ = ended(ledger, storage, age=91), ended(ledger, storage, age=10)
    waits = Retention(
        ledger=ledger,
        storage=storage,
        keeps=StorageSettings(path=storage.root),
        upkeep=MirrorUpkeep(Git(environment=os.environ), storage.root),
        mirror_keys=frozenset,
        clock=lambda: NOW,
        monotonic=lambda: 0.0,
    )
    assert waits.turn() == 60
    assert is_known(ledger, old)


def test_a_removal_that_was_cut_off_is_taken_up(ledger: Ledger, storage: Storage) -> None:
    old, _ = ended(ledger, storage, age=91), ended(ledger, storage, age=10)
    storage.run(old).rename(storage.leaving(old))
    assert left_half_removed(storage) == [old]
    retention(ledger, storage, keep_runs_days=0).turn()
    assert not is_known(ledger, old)
    assert left_half_removed(storage) == []


def test_a_run_that_is_needed_gets_its_files_back(ledger: Ledger, storage: Storage) -> None:
    first = ended(ledger, storage, age=91)
    again = ended(ledger, storage, age=1, rerun_of=first)
    assert again in str(remove_run(ledger, storage, first, at=NOW))
    assert len(list(storage.run(first).iterdir())) == 2
    assert left_half_removed(storage) == []


def test_what_lies_behind_a_link_is_not_removed(ledger: Ledger, storage: Storage, tmp_path: Path) -> None:
    old, _ = ended(ledger, storage, age=91), ended(ledger, storage, age=10)
    elsewhere = tmp_path / "elsewhere"
    storage.run(old).rename(elsewhere)
    storage.run(old).symlink_to(elsewhere)
    retention(ledger, storage).turn()
    assert not is_known(ledger, old)
    assert len(list(elsewhere.iterdir())) == 2


def test_a_job_keeps_its_output_for_the_days_that_its_author_wants(ledger: Ledger, storage: Storage) -> None:
    outputs = tuple(
        OutputSpec(name=name, type="artifact", retention_days=days, at=Position(line=1, column=1))
        for name, days in (("model", 3.0), ("report", None))
    )
    spec = JobSpec(
        id="fit", name="fit", needs=(), condition=None, steps=(), image="x", env={}, outputs=outputs
    )
    plan = Plan(
        workflow="train",
        path="train.yaml",
        run_name="train",
        event=Event(kind="push", repository="digits", ref="refs/heads/main", sha="a" * 40),
        reason="",
        inputs={},
        env={},
        specs={"fit": spec},
        jobs=(PlannedJob(key="fit", job_id="fit", name="fit"),),
    )
    changes = {"plan": dumps(plan), "jobs": (NewJob(key="fit", name="fit"),)}
    old, young = (ended(ledger, storage, age=age, **changes) for age in (3.1, 2.9))
    for run_id, age in ((old, 3.1), (young, 2.9)):
        job = JobUpdate(key="fit", state="success", ended_at=NOW - age * DAY_S)
        ledger.runs.record(run_id, jobs=[job], at=NOW)
        storage.outputs(run_id, "fit").chmod(0o755)
        (storage.outputs(run_id, "fit") / "report").write_text("all is well")
    kept = retention(ledger, storage)
    kept.turn()
    assert [place.name for place in storage.outputs(old, "fit").iterdir()] == ["report"]
    assert len(list(storage.outputs(young, "fit").iterdir())) == 2
    assert kept.state().problem is None


def test_every_run_is_whole_or_gone_after_kill_9(storage: Storage) -> None:
    with Ledger.open(storage.ledger) as ledger:
        runs = [ended(ledger, storage, age=91) for _ in range(40)]
    program = f"""
from pathlib import Path
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.removal import remove_run
from windlass_runner.run.storage import Storage
storage = Storage(Path({str(storage.root)!r}))
with Ledger.open(storage.ledger) as ledger:
    for run_id in {runs!r}:
        remove_run(ledger, storage, run_id, at=0.0)
        print(run_id, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    with Ledger.open(storage.ledger) as ledger:
        present = {place.name.removesuffix(".leaving") for place in storage.runs.iterdir()}
        known = {run_id for run_id in runs if is_known(ledger, run_id)}
        assert known <= present
        assert len(known) < len(runs)
        for run_id in present:
            assert remove_run(ledger, storage, run_id, at=NOW) is None
    assert list(storage.runs.iterdir()) == []


def test_a_mirror_nobody_watches_goes_after_a_while_and_others_stay(ledger: Ledger, storage: Storage) -> None:
    git = Git(environment=os.environ)
    mirrors = [Mirror(git, storage.root, f"file:///srv/{name}.git") for name in ("watched", "gone", "fresh")]
    for mirror in mirrors:
        git.init_mirror(mirror.path)
        os.utime(mirror.path, (NOW - UNWATCHED_KEPT_S - 1,) * 2)
    os.utime(mirrors[2].path, (NOW - UNWATCHED_KEPT_S + 60,) * 2)
    retention(ledger, storage, watched=frozenset([mirrors[0].key])).turn()
    assert [mirror.path.exists() for mirror in mirrors] == [True, False, True]
    git.init_mirror(mirrors[1].path)
    assert git.rev_parse(mirrors[1].path, "HEAD") is None


def test_loose_objects_of_a_mirror_become_a_pack_and_none_is_lost(tmp_path: Path, storage: Storage) -> None:
    git = Git(environment=os.environ)
    mirror = Mirror(git, storage.root, "file:///srv/digits.git")
    git.init_mirror(mirror.path)
    places = [tmp_path / f"{number}" for number in range(1200)]
    for number, place in enumerate(places):
        place.write_text(f"{number}")

    def run_git(*words: str, lines: list[str]) -> list[str]:
        text = "".join(f"{line}\n" for line in lines)
        call = ["git", "--git-dir", str(mirror.path), *words]
        return subprocess.run(call, input=text, check=True, capture_output=True, text=True).stdout.split()

    shas = run_git("hash-object", "-w", "--stdin-paths", lines=[str(place) for place in places])
    held = [f"100644 blob {sha}\t{number}" for number, sha in enumerate(shas[1:])]
    (tree,) = run_git("mktree", lines=held)
    run_git("update-ref", "refs/trees/all", tree, lines=[])
    list(MirrorUpkeep(git, storage.root).repacking())
    assert list((mirror.path / "objects" / "pack").glob("*.pack"))
    assert len(list((mirror.path / "objects").glob("[0-9a-f][0-9a-f]/*"))) <= 1
    assert git.read_blobs(mirror.path, shas) == tuple(place.read_bytes() for place in places)
