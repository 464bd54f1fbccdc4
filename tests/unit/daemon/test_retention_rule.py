from __future__ import annotations

from typing import Any

from windlass_runner.daemon.retention_rule import that_may_go
from windlass_runner.ledger.records import RunRecord

DAY = 86_400.0


def run(id: str, *, age: float, **changes: Any) -> RunRecord:
    """A success on main that ended so many days before day 1000."""
    at = (1000 - age) * DAY
    values: dict[str, Any] = {
        "id": id,
        "number": 1,
        "repository": "digits",
        "ref": "refs/heads/main",
        "sha": id * 40,
        "workflow": "train",
        "workflow_path": ".windlass/workflows/train.yaml",
        "name": "train",
        "state": "success",
        "reason": "",
        "created_at": at,
        "started_at": at,
        "ended_at": at,
        "is_cancel_requested": False,
        "rerun_of": None,
        "group": None,
        "priority": 0,
        "snapshot": None,
    }
    return RunRecord(**(values | changes))


def gone(*runs: RunRecord, keeps_bases: bool = True) -> str:
    """The ids of those that may go, of runs that are given newest first, after 90 days."""
    found = that_may_go(runs, before=(1000 - 90) * DAY, keeps_bases=keeps_bases)
    return "".join(run.id for run in found)


def test_old_runs_may_go_and_young_ones_stay() -> None:
    failures = [run(id, age=age, state="failure") for id, age in (("d", 1), ("c", 89), ("b", 91), ("a", 200))]
    assert gone(*failures) == "ba"


def test_the_newest_run_of_a_workflow_and_ref_stays_however_old() -> None:
    assert gone(run("b", age=400, state="failure"), run("a", age=500, state="failure")) == "a"
    assert gone(run("b", age=400, state="failure"), run("a", age=500, ref="refs/heads/x")) == ""
    assert gone(run("b", age=400, state="failure"), run("a", age=500, workflow_path="other.yaml")) == ""


def test_what_has_not_ended_stays() -> None:
    waiting = run("a", age=500, state="waiting", ended_at=None)
    assert gone(run("b", age=1, state="failure"), waiting) == ""


def test_a_run_that_never_began_ended_when_it_was_made() -> None:
    assert gone(run("b", age=1), run("a", age=500, state="skipped", ended_at=None)) == "a"


def test_two_commits_that_younger_runs_are_compared_with_stay() -> None:
    old = [run(id, age=200) for id in "dcba"]
    assert gone(run("e", age=1, state="failure"), *old) == "ba"


def test_successes_of_one_commit_count_as_one_to_compare_with() -> None:
    same = [run(id, age=200, sha="1" * 40) for id in "dc"]
    assert gone(run("e", age=1), *same, run("b", age=200), run("a", age=201)) == "a"


def test_their_files_are_not_needed_to_compare() -> None:
    old = [run(id, age=200) for id in "cba"]
    assert gone(run("e", age=1), *old, keeps_bases=False) == "cba"


def test_a_run_that_was_run_again_stays_as_long_as_that_one_and_so_on() -> None:
    chain = [
        run("d", age=1, state="failure", rerun_of="c"),
        run("c", age=200, state="failure", rerun_of="b"),
        run("b", age=201, state="failure", rerun_of="a"),
        run("a", age=202, state="failure"),
    ]
    assert gone(*chain) == ""
    assert gone(run("e", age=1, state="failure"), *chain[1:]) == "cba"
