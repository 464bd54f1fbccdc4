"""How much memory containers needed, as both engines see it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from windlass_runner.engines.base import ContainerSpec, Lane
from windlass_runner.engines.measuring import (
    MeasuringDockerEngine,
    MeasuringProcessEngine,
    Peaks,
    memory_needed,
)

ROOT = Path(__file__).parents[3]
BUSYBOX = "windlass-test/busybox:1"
LANE = Lane(name="lane-1")
NEEDED = 60_000_000


def spec(run_id: str, *command: str, image: str = "") -> ContainerSpec:
    return ContainerSpec(
        name=f"{run_id}-job", run_id=run_id, lane=LANE, image=image, entrypoint=(), command=command
    )


def test_the_process_engine_tells_of_the_largest_process(tmp_path: Path) -> None:
    peaks = Peaks()
    engine = MeasuringProcessEngine(tmp_path / "state", peaks=peaks)
    container = engine.create(spec("r", sys.executable, "-S", "-c", f"len(b'a' * {NEEDED})"))
    container.start()
    assert container.wait().code == 0
    engine.destroy("r")
    assert peaks.memory_bytes is not None
    assert NEEDED < peaks.memory_bytes < 4 * NEEDED
    assert peaks.image_bytes is None


@pytest.mark.docker
def test_the_docker_engine_is_asked_while_a_container_runs() -> None:
    subprocess.run([ROOT / "scripts" / "test-images"], check=True)
    peaks, run_id = Peaks(), f"t{uuid.uuid4().hex[:10]}"
    engine = MeasuringDockerEngine(environment=os.environ, peaks=peaks)
    holds = f"x=$(head -c {NEEDED} /dev/zero | tr '\\0' a); sleep 120; echo $x"
    try:
        container = engine.create(spec(run_id, "sh", "-c", holds, image=BUSYBOX))
        container.start()
        pause, end = threading.Event(), time.monotonic() + 60
        while (peaks.memory_bytes or 0) < NEEDED and time.monotonic() < end:
            pause.wait(0.05)
        container.stop(grace_s=0)
        container.wait()
    finally:
        engine.destroy(run_id)
        engine.close()
    assert (peaks.memory_bytes or 0) >= NEEDED
    assert (peaks.image_bytes or 0) > 1_000_000


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ({}, 0),
        ({"memory_stats": {}}, 0),
        ({"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}}, 70),
        ({"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}}, 60),
        ({"memory_stats": {"usage": 10, "max_usage": 90, "stats": {"total_cache": 5}}}, 85),
    ],
)
def test_files_that_the_kernel_keeps_for_later_do_not_count(stats: dict[str, object], expected: int) -> None:
    assert memory_needed(stats) == expected
