import time
from pathlib import Path

from windlass_runner.daemon.starting import sweep
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import NewRun
from windlass_runner.run.storage import Storage
from windlass_runner.testing import FakeEngine


def test_what_a_killed_daemon_left_of_ended_runs_goes_and_what_runs_stays(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with Ledger.open(storage.ledger) as ledger:
        new = NewRun(
            repository="r",
            ref=None,
            sha="1" * 40,
            workflow="w",
            workflow_path="w",
            plan="",
            event="",
            name="w",
            jobs=(),
        )
        running = ledger.runs.create(new, at=time.time())
        assert running is not None
        for run_id in (running, "ended"):
            (storage.scratch(run_id) / "job").mkdir(parents=True)
        assert sweep(FakeEngine(), ledger, storage) == ("ended",)
        assert [path.name for path in storage.scratches.iterdir()] == [running]
        assert sweep(FakeEngine(), ledger, storage) == ()
