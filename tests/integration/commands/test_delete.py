"""`delete`, and what `doctor` says of old runs, on a storage that was filled beforehand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunUpdate, State
from windlass_runner.run.storage import Storage


class Filled:
    """A storage with runs in it."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(folder)

    def add(self, *, state: State = "success", age_days: float = 0.0, **changes: Any) -> str:
        at = time.time() - age_days * 86_400
        with Ledger.open(self.storage.ledger) as ledger:
            run_id = ledger.runs.create(new_run(**changes), at=at)
            assert run_id is not None
            ledger.runs.record(run_id, run=RunUpdate(state=state, ended_at=at), at=at)
        place = self.storage.outputs(run_id, "fit") / "model"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"x" * 100_000)
        return run_id

    @property
    def runs(self) -> set[str]:
        return {place.name for place in self.storage.runs.iterdir()}


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path / "storage")


def test_runs_are_removed_with_their_files(project: Any, filled: Filled) -> None:
    first, second, third = (filled.add() for _ in range(3))
    words = ("--storage", str(filled.storage.root))
    answer = project.windlass("delete", first, "train#2", *words)
    assert answer.code == 0, answer.err
    assert f"run {first} is removed: 1" in answer.out
    assert f"run {second} is removed" in answer.out
    assert filled.runs == {third}
    shown = project.windlass("show", first, *words)
    assert (shown.code, "there is no run" in shown.err) == (2, True)


def test_what_goes_on_stays_and_the_rest_goes(project: Any, filled: Filled) -> None:
    running, old = filled.add(state="running"), filled.add()
    answer = project.windlass("delete", running, old, "--json", "--storage", str(filled.storage.root))
    told = {line["run_id"]: line for line in map(json.loads, answer.out.splitlines())}
    assert told[running] == {
        "run_id": running,
        "is_removed": False,
        "freed_bytes": 0,
        "reason": "it is running",
    }
    assert told[old]["is_removed"]
    assert told[old]["freed_bytes"] > 90_000
    assert answer.code == 3
    assert "windlass cancel" in answer.err
    assert filled.runs == {running}


def test_a_run_and_what_ran_it_again_go_together(project: Any, filled: Filled) -> None:
    first = filled.add()
    again = filled.add(rerun_of=first)
    words = ("--storage", str(filled.storage.root))
    refused = project.windlass("delete", first, *words)
    assert (refused.code, again in refused.err) == (3, True)
    assert project.windlass("delete", first, again, *words).code == 0
    assert filled.runs == set()


def test_an_unknown_run_keeps_all(project: Any, filled: Filled) -> None:
    known = filled.add()
    answer = project.windlass("delete", known, "zzzz", "--storage", str(filled.storage.root))
    assert (answer.code, "zzzz" in answer.err) == (2, True)
    assert filled.runs == {known}


def test_doctor_tells_what_is_in_use_and_what_will_go(project: Any, filled: Filled) -> None:
    filled.add(state="failure", age_days=100)
    filled.add(state="failure")
    answer = project.windlass("doctor", "--json", "--storage", str(filled.storage.root))
    (check,) = [each for each in json.loads(answer.out)["checks"] if each["name"] == "retention"]
    assert check["state"] == "ok"
    assert "in use: runs 2" in check["text"]
    assert "of 1 run older than 90 days 1" in check["text"]
