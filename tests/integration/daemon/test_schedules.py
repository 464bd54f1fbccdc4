"""Schedules of a real daemon, over kill -9 and downtime."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from integration.daemon.serving import Repository, Serving, wait_until
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord

pytestmark = pytest.mark.timeout(120)
YEARLY = """on: {schedule: [{cron: '0 0 1 1 *', concurrency-policy: forbid}]}
jobs: {one: {uses: script@v1, with: {script: 'echo ${{ github.event_name }} ${{ github.event.schedule }}'}}}
"""


def _ledger(folder: Path) -> Ledger:
    return Ledger.open(folder / "store" / "ledger.db")


def _runs(folder: Path) -> list[RunRecord]:
    with _ledger(folder) as ledger:
        return ledger.runs.list(limit=100)


def _make_due(folder: Path, at: float) -> None:
    """As if the time had come: the daemon was down then."""
    engine = create_engine(f"sqlite:///{folder / 'store' / 'ledger.db'}")
    with engine.begin() as connection:
        connection.execute(text("update schedules set due_at = :at"), {"at": at})
    engine.dispose()


def test_what_came_due_while_the_daemon_was_killed_runs_once(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    sha = repository.push_workflow(YEARLY, name="nightly")
    wait_until(lambda: serving.health()[1]["schedules"], what="the schedule to be read")
    (told,) = serving.health()[1]["schedules"]
    assert (told["repository"], told["cron"], told["last_run"]) == ("digits", "0 0 1 1 *", None)
    assert told["due_at"] > time.time()
    serving.kill()
    new_year = time.mktime((time.gmtime().tm_year, 1, 1, 0, 0, 0, 0, 0, 0)) - time.timezone
    _make_due(tmp_path, new_year)
    told_by = subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", "doctor"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "nightly '0 0 1 1 *' is due" in told_by.stdout
    serving.start()
    wait_until(lambda: _runs(tmp_path), what="the run that was missed")
    serving.kill()
    serving.start()
    note = repository.wait_for_state(sha, "success")
    assert [workflow["name"] for workflow in note["workflows"]] == ["nightly"]
    (run,) = _runs(tmp_path)
    with _ledger(tmp_path) as ledger:
        assert [schedule.last_run for schedule in ledger.schedules.of()] == [run.id]
        assert ledger.schedules.of()[0].due_at == told["due_at"]
    listed = subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", "runs"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "schedule '0 0 1 1 *'" in listed.stdout, listed.stderr
    assert serving.stop() == 0
