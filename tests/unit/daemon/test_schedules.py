"""Schedules against real repositories, with a clock that the tests set."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_registry.store import Store
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.pushes import Pushes
from windlass_runner.daemon.scheduled_runs import ScheduledRuns
from windlass_runner.daemon.schedules import Schedules, due_next
from windlass_runner.daemon.starting import Starting
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord, RunUpdate
from windlass_runner.ledger.schedules import Schedule
from windlass_runner.plan.codec import loads
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.storage import Storage
from windlass_runner.run.workspace import Mirror

_WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **_WHO}
START = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
NIGHTLY = "{cron: '0 3 * * *'}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=_ENVIRONMENT
    )
    return done.stdout.strip()


class Begun:
    """Where a conductor would stand: what it was told to begin."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def begin(self, run_id: str) -> None:
        self.runs.append(run_id)


class Clockwork:
    """One life of the schedules after the other, their turns called by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        bare = folder / "r.git"
        _git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
        _git(folder, "init", "-q", "-b", "main", str(self.work))
        self.url = f"file://{bare}"
        self.ledger = Ledger.open(folder / "ledger.db")
        self.now = START
        self.begun = Begun()
        self.open()

    def open(self) -> None:
        """Begin a life."""
        git, storage, packages = Git(environment=_ENVIRONMENT), Storage(self.folder), Store(self.folder / "p")

        def clock() -> float:
            return self.now.timestamp()

        pushes = Pushes(
            ledger=self.ledger,
            git=git,
            mirror_of=lambda url: Mirror(git, storage.root, url),
            plan=CommitPlanning(
                git=git, packages=packages, catalog=Catalog.of_builtin(), options=PlanOptions()
            ),
            shows_skipped=lambda _url: False,
            clock=clock,
        )
        self.awake = threading.Event()
        self.schedules = Schedules(
            watched=[self.url],
            ledger=self.ledger,
            git=git,
            mirror_of=lambda url: Mirror(git, storage.root, url),
            runs=ScheduledRuns(ledger=self.ledger, git=git, pushes=pushes, clock=clock),
            starting=Starting(
                ledger=self.ledger,
                conductor=self.begun,
                check_engine=lambda: None,
                wake_self=lambda: None,
            ),
            clock=clock,
            wake_self=self.awake.set,
            read_after_s=0.0,
        )

    def push(self, schedule: str = NIGHTLY, *, name: str = "w", job: str = "{script: 'true'}") -> str:
        path = self.work / f".windlass/workflows/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"on: {{schedule: [{schedule}]}}\njobs: {{a: {{uses: script@v1, with: {job}}}}}\n")
        return self.commit()

    def commit(self, branch: str = "main") -> str:
        _git(self.work, "add", "-A")
        _git(self.work, "commit", "-q", "--allow-empty", "-m", "a change")
        _git(self.work, "push", "-q", "-f", self.url, f"HEAD:{branch}")
        self.schedules.note_moved(self.url, f"refs/heads/{branch}")
        return _git(self.work, "rev-parse", "HEAD")

    def turn(self, **later: float) -> float | None:
        """Let time pass, and do what is due then; the seconds to wait after that."""
        self.now += timedelta(**later)
        self.awake.clear()
        pause = self.schedules.turn()
        while not self.schedules.is_idle():
            assert self.awake.wait(30)
            self.awake.clear()
        return self.schedules.turn() if pause is None or self.awake.is_set() else pause

    def settle(self, **later: float) -> float | None:
        self.turn(**later)
        return self.turn()

    def runs(self) -> list[RunRecord]:
        return self.ledger.runs.list(limit=1000)[::-1]

    def reasons(self) -> list[str]:
        return [loads(Plan, self.ledger.runs.plan(run.id)).reason for run in self.runs()]

    def only(self) -> Schedule:
        (found,) = self.ledger.schedules.of(self.url)
        return found

    def end(self, run: RunRecord) -> None:
        self.ledger.runs.record(run.id, run=RunUpdate(state="success"), at=self.now.timestamp())

    def close(self) -> None:
        self.schedules.close()
        self.ledger.close()


@pytest.fixture
def clockwork(tmp_path: Path) -> Iterator[Clockwork]:
    made = Clockwork(tmp_path)
    yield made
    made.close()


def test_a_schedule_runs_the_newest_commit_of_the_default_branch_when_it_is_due(clockwork: Clockwork) -> None:
    clockwork.push()
    assert clockwork.settle() == 60.0  # never longer: the clock may be set
    assert clockwork.settle(hours=14, minutes=59) == pytest.approx(30.0, abs=0.1)
    assert clockwork.runs() == []
    newest = clockwork.commit()
    clockwork.settle(seconds=30)
    (run,) = clockwork.runs()
    assert (run.sha, run.ref, run.workflow) == (newest, "refs/heads/main", "w")
    assert clockwork.begun.runs == [run.id]
    assert clockwork.reasons() == ["schedule '0 3 * * *' was due at 2026-03-03 03:00 UTC"]
    assert '"kind": "schedule"' in clockwork.ledger.runs.event(run.id)
    clockwork.settle(minutes=1)
    assert len(clockwork.runs()) == 1


def test_other_branches_have_no_schedules(clockwork: Clockwork) -> None:
    clockwork.commit()
    clockwork.settle()
    path = clockwork.work / ".windlass/workflows/w.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "on: {schedule: [{cron: '* * * * *'}]}\njobs: {a: {uses: script@v1, with: {script: x}}}\n"
    )
    clockwork.commit("feature")
    assert clockwork.settle(minutes=5) is None
    assert clockwork.ledger.schedules.of() == ()


def test_what_was_missed_runs_once_and_the_latest_time_counts(clockwork: Clockwork) -> None:
    clockwork.push()
    clockwork.settle()
    clockwork.now += timedelta(days=5, hours=16)
    clockwork.open()
    clockwork.settle()
    clockwork.settle()
    assert clockwork.reasons() == ["schedule '0 3 * * *' was due at 2026-03-08 03:00 UTC, 1 h 0 min ago"]


@pytest.mark.parametrize(("late_s", "count"), [(0, 1), (9, 1), (3599, 1), (3601, 0)])
def test_a_starting_deadline_bounds_how_late_it_runs(clockwork: Clockwork, late_s: int, count: int) -> None:
    clockwork.push("{cron: '0 3 * * *', starting-deadline: 1h}")
    clockwork.settle()
    clockwork.settle(hours=14, minutes=59, seconds=30 + late_s)
    assert len(clockwork.runs()) == count
    assert clockwork.only().last_due_at == datetime(2026, 3, 3, 3, tzinfo=UTC).timestamp()
    assert clockwork.only().note == (
        "" if count else "missed by 1 h 0 min, and its starting-deadline is 1 h 0 min"
    )
    clockwork.settle(hours=24, seconds=-late_s)
    assert len(clockwork.runs()) == count + 1


def test_a_kill_before_the_transaction_ends_loses_nothing_and_doubles_nothing(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    clockwork.push()
    clockwork.settle()

    def die(*_words: object, **_names: object) -> bool:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(clockwork.ledger.schedules, "decide", die)
        clockwork.turn(hours=15)
    assert clockwork.runs() == []
    assert "killed here" in clockwork.schedules.troubles()[clockwork.url]
    clockwork.open()
    clockwork.settle()
    clockwork.open()
    clockwork.settle()
    assert len(clockwork.runs()) == 1


def test_a_clock_that_goes_back_does_nothing_twice(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '*/10 * * * *'}")
    clockwork.settle()
    clockwork.settle(minutes=10)
    clockwork.settle(minutes=-9)
    clockwork.settle(minutes=9)
    assert len(clockwork.runs()) == 1
    clockwork.settle(minutes=10)
    assert len(clockwork.runs()) == 2


def test_a_clock_that_leaps_forward_makes_up_for_one_at_most(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '*/10 * * * *'}")
    clockwork.settle()
    clockwork.settle(hours=7)
    assert len(clockwork.runs()) == 1


def test_a_clock_that_was_wrong_by_years_does_not_stop_a_schedule(clockwork: Clockwork) -> None:
    clockwork.push()
    clockwork.settle()
    clockwork.settle(days=3650)
    clockwork.settle(days=-3650)
    assert clockwork.only().note == "the clock was set back"
    clockwork.settle(days=1)
    assert len(clockwork.runs()) == 2


def test_forbid_leaves_out_what_comes_while_the_last_one_runs(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '0 * * * *', concurrency-policy: forbid}")
    clockwork.settle()
    clockwork.settle(hours=1)
    clockwork.settle(hours=1)
    (run,) = clockwork.runs()
    assert clockwork.only().note == f"run {run.id} still went on, and its concurrency-policy is forbid"
    clockwork.end(run)
    clockwork.settle(hours=1)
    assert len(clockwork.runs()) == 2


def test_replace_cancels_what_still_runs(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '0 * * * *', concurrency-policy: replace}")
    clockwork.settle()
    clockwork.settle(hours=1)
    clockwork.settle(hours=1)
    first, second = clockwork.runs()
    (request,) = clockwork.ledger.requests.take()
    assert (request.kind, request.payload["run_id"]) == ("cancel", first.id)
    assert request.payload["reason"] == f"replaced by run {second.id} of the same schedule"


def test_allow_lets_them_run_beside_each_other(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '0 * * * *'}, {cron: '30 * * * *'}")
    clockwork.settle()
    clockwork.settle(minutes=30)
    clockwork.settle(minutes=30)
    assert len(clockwork.runs()) == 2
    assert clockwork.ledger.requests.take() == []


def test_a_changed_schedule_keeps_nothing_of_the_old_one_and_a_removed_one_is_gone(
    clockwork: Clockwork,
) -> None:
    clockwork.push()
    clockwork.settle()
    clockwork.push("{cron: '0 4 * * *'}")
    clockwork.settle(hours=15)
    assert clockwork.runs() == []
    assert clockwork.only().cron == "0 4 * * *"
    clockwork.push("{cron: '0 4 * * *', concurrency-policy: forbid}")
    clockwork.settle(minutes=50)
    assert clockwork.only().policy == "forbid"
    clockwork.settle(minutes=11)
    assert len(clockwork.runs()) == 1  # it stayed due when it was
    _git(clockwork.work, "rm", "-q", ".windlass/workflows/w.yaml")
    clockwork.commit()
    assert clockwork.settle() is None
    assert clockwork.ledger.schedules.of() == ()


def test_a_workflow_that_cannot_be_planned_is_a_failed_check_each_time(clockwork: Clockwork) -> None:
    clockwork.push(job="{scrpt: x}")
    clockwork.settle()
    clockwork.settle(hours=15)
    (run,) = clockwork.runs()
    assert run.state == "failure"
    assert clockwork.begun.runs == []


def test_a_repository_that_is_away_is_asked_again_and_then_runs(clockwork: Clockwork) -> None:
    clockwork.push()
    clockwork.settle()
    bare = clockwork.folder / "r.git"
    bare.rename(clockwork.folder / "away.git")
    clockwork.settle(hours=15)
    assert clockwork.runs() == []
    assert clockwork.url in clockwork.schedules.troubles()
    (clockwork.folder / "away.git").rename(bare)
    clockwork.settle(minutes=10)
    assert clockwork.schedules.troubles() == {}
    assert clockwork.reasons() == ["schedule '0 3 * * *' was due at 2026-03-03 03:00 UTC, 10 min 30 s ago"]


def test_a_clock_that_goes_back_does_not_keep_a_repository_waiting(clockwork: Clockwork) -> None:
    clockwork.push()
    bare = clockwork.folder / "r.git"
    bare.rename(clockwork.folder / "away.git")
    clockwork.settle()
    (clockwork.folder / "away.git").rename(bare)
    clockwork.settle(days=-2)
    assert clockwork.only().cron == "0 3 * * *"


def test_each_time_zone_has_its_own_night(clockwork: Clockwork) -> None:
    clockwork.push("{cron: '30 2 * * *', timezone: Europe/Berlin}")
    clockwork.settle()
    for days in (26, 1, 1):  # over the night of 29 March, which has no half past two
        clockwork.settle(days=days)
    nights = [reason.partition(", ")[0].partition(" at ")[2] for reason in clockwork.reasons()]
    assert nights == [f"2026-03-{night} Europe/Berlin" for night in ("28 02:30", "29 03:00", "30 02:30")]


def test_what_is_due_next_is_told(clockwork: Clockwork) -> None:
    clockwork.push()
    clockwork.settle()
    (told,) = due_next(clockwork.ledger, {clockwork.url: "digits"})
    assert (told["repository"], told["workflow"], told["cron"]) == ("digits", "w", "0 3 * * *")
    assert told["due_at"] == datetime(2026, 3, 3, 3, tzinfo=UTC).timestamp()


def test_schedules_of_repositories_that_are_no_longer_watched_are_forgotten(clockwork: Clockwork) -> None:
    clockwork.push()
    clockwork.settle()
    clockwork.ledger.schedules.keep_only(["file:///other"])
    assert clockwork.ledger.schedules.of() == ()
    assert clockwork.ledger.schedules.source(clockwork.url) is None
