"""Whether a job's cost grows with what a daemon watches and remembers: 10 against 1,000 of each."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from benchmarks.figures import Beside, Figure
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn, median_interval
from benchmarks.repositories import ENVIRONMENT

_FEW, _MANY = 10, 1000
_JOBS = 30
_PAIRS = 3
_MEMORY, _ROOM = Path("/dev/shm"), 2**30
"""A file system in memory, and the bytes that this takes there, by far."""


class _Daemon:
    """A daemon in a process of its own (`benchmarks.growing`), which runs a workflow when told to."""

    def __init__(self, folder: Path, count: int) -> None:
        words = [sys.executable, "-m", "benchmarks.growing", str(folder), str(count), str(_JOBS)]
        root = Path(__file__).parents[1]
        self._process = subprocess.Popen(
            words,
            cwd=root,
            env={**ENVIRONMENT, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def run(self) -> Sample:
        """A push, and all that follows from it."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        found = self._answer()
        return Sample(wall_s=found["wall_s"], cpu_s=found["cpu_s"])

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkFailed("the daemon ended")
        found: dict[str, float] = json.loads(line)
        return found

    def __enter__(self) -> _Daemon:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def growth(folder: Path, *, rounds: int) -> list[Figure]:
    """A whole daemon with an engine that takes no time; repositories, workflows and past runs alike.

    In memory where there is room: on ext4, two daemons that are alike in everything differ by up to 40 %, by
    which group of blocks their folders fell into and how far a new file's inode is from a free one.
    Of several pairs of daemons: each start has its own luck with caches, which no further rounds even out.
    """
    samples: dict[str, list[Sample]] = {"few": [], "many": []}
    for _ in range(_PAIRS):
        with tempfile.TemporaryDirectory(prefix="windlass-bench-", dir=_place(folder)) as name:
            place = Path(name)
            with _Daemon(place / "few", _FEW) as few, _Daemon(place / "many", _MANY) as many:
                turns = in_turn({"few": few.run, "many": many.run}, rounds=-(-rounds // _PAIRS), warm=True)
        for kind, found in turns.samples.items():
            samples[kind] += found
    return [_figure(samples, "wall"), _figure(samples, "cpu")]


def _place(folder: Path) -> Path:
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return _MEMORY if has_room else folder


def _figure(samples: dict[str, list[Sample]], kind: str) -> Figure:
    taken = {
        name: [sample.wall_s if kind == "wall" else sample.cpu_s for sample in found]
        for name, found in samples.items()
    }
    ratios = [many / few for many, few in zip(taken["many"], taken["few"], strict=True)]
    medians = {name: statistics.median(times) / _JOBS * 1e3 for name, times in taken.items()}
    return Figure(
        what=f"{kind} time of a job, watching {_MANY}",
        unit="ms",
        ours=medians["many"],
        floor=Beside(name=f"watching {_FEW}", value=medians["few"]),
        bound=statistics.median(ratios),
        spread=median_interval(ratios),
        target=1.05,
        detail=(
            "repositories polled, workflows and past runs: that many each; the median of "
            f"{len(ratios)} pairs of rounds, and where it lies with a certainty of 95 %"
            + (", without the time of the threads that poll (see `idle`)" if kind == "cpu" else "")
        ),
    )
