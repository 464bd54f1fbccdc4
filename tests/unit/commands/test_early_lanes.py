"""A run's sandboxes, made before the ledger knows of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from windlass_registry.errors import UpstreamError
from windlass_runner.commands.early_lanes import EarlyLanes, clear_left_lanes
from windlass_runner.engines.base import Lane
from windlass_runner.run.storage import Storage
from windlass_runner.testing import FakeEngine

LANES = (Lane(name="lane-0"), Lane(name="lane-1"))


def early(engine: FakeEngine, folder: Path) -> EarlyLanes:
    return EarlyLanes(engine, Storage(folder), run_id="r1", lanes=LANES)


def test_lanes_are_open_when_the_wait_is_over(tmp_path: Path) -> None:
    engine = FakeEngine()
    with contextlib.closing(early(engine, tmp_path)) as lanes:
        lanes.wait()
        assert engine.host.lanes == {("r1", lane) for lane in LANES}


def test_lanes_that_no_run_took_over_are_removed(tmp_path: Path) -> None:
    engine = FakeEngine()
    early(engine, tmp_path).close()
    assert not engine.present_runs()


def test_lanes_of_a_run_that_got_another_id_are_removed(tmp_path: Path) -> None:
    engine = FakeEngine()
    lanes = early(engine, tmp_path)
    lanes.keep_for("r2")
    lanes.close()
    assert not engine.present_runs()


def test_lanes_that_a_run_took_over_stay(tmp_path: Path) -> None:
    engine = FakeEngine()
    lanes = early(engine, tmp_path)
    lanes.keep_for("r1")
    lanes.close()
    lanes.close()
    clear_left_lanes(engine, Storage(tmp_path))
    assert engine.present_runs() == {"r1"}


def test_a_lane_that_cannot_be_opened_is_left_to_the_job_that_needs_it(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.fail_next("open_lane", UpstreamError("the engine is busy"))
    lanes = early(engine, tmp_path)
    lanes.keep_for("r1")
    lanes.close()
    assert len(engine.host.lanes) == 1


def test_lanes_of_a_living_process_are_left_alone(tmp_path: Path) -> None:
    engine = FakeEngine()
    with contextlib.closing(early(engine, tmp_path)) as lanes:
        lanes.wait()
        clear_left_lanes(engine, Storage(tmp_path))
        assert engine.present_runs() == {"r1"}


def test_lanes_of_a_killed_process_are_cleared_away(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.open_lane("dead", LANES[0])
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "dead").touch()
    clear_left_lanes(engine, Storage(tmp_path))
    assert not engine.present_runs()
    assert not list((tmp_path / "early").iterdir())
