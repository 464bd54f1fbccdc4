"""Webhooks of GitHub, many at once: each on disk before it is answered."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Beside, Figure
from benchmarks.ingest_load import CONNECTIONS, DELIVERIES, REPOSITORY
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn, process_cpu_s
from benchmarks.serving import Serving

_SECRET = "benchmark"
_FLOOR = "uvicorn, bare: verify and commit"


@dataclass(slots=True, kw_only=True)
class _Server:
    """One that takes deliveries. `latencies_s`: of each round."""

    port: str
    pid: int
    latencies_s: list[list[float]] = field(default_factory=list)
    alone_s: list[list[float]] = field(default_factory=list)

    def many(self) -> Sample:
        """All deliveries of one round."""
        cpu_s = process_cpu_s(self.pid)
        found = self._send()
        self.latencies_s.append(found["latencies_s"])
        return Sample(wall_s=found["wall_s"], cpu_s=process_cpu_s(self.pid) - cpu_s)

    def alone(self) -> Sample:
        """One at a time."""
        found = self._send("alone")
        self.alone_s.append(found["latencies_s"])
        return Sample(wall_s=found["wall_s"])

    def p99_ms(self) -> float:
        """The 99th of 100 answers in the middle one of the rounds, without the first, which warmed up."""
        return statistics.median(_nth_ms(found, 99) for found in self.latencies_s[1:])

    def alone_ms(self, nth: int) -> float:
        """The nth of 100 answers to deliveries that came alone."""
        return _nth_ms([each for found in self.alone_s[1:] for each in found], nth)

    def _send(self, *how: str) -> dict[str, Any]:
        words = [sys.executable, "-m", "benchmarks.ingest_load", self.port, _SECRET, *how]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkFailed(done.stderr[-2000:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def ingest(folder: Path, *, rounds: int) -> list[Figure]:
    """Beside a server that does nothing else. The repository cannot be reached, so that nothing is handled
    meanwhile: what is measured is the taking in."""
    _configure(folder)
    with Serving(folder) as daemon, _bare(folder) as bare:
        ours = _Server(port=daemon.address.rpartition(":")[2], pid=daemon.pid)
        turns = in_turn({"windlass": ours.many, "bare": bare.many}, rounds=rounds, warm=True)
        in_turn({"windlass": ours.alone, "bare": bare.alone}, rounds=rounds, warm=True)
    each_ms = {way: turns.wall_s(way) / DELIVERIES * 1e3 for way in turns.samples}
    cpu_us = {way: turns.cpu_s(way) / DELIVERIES * 1e6 for way in turns.samples}
    ratios = turns.ratios("windlass", "bare")
    many = _figure(
        "durable delivery, many at once",
        each_ms["windlass"],
        each_ms["bare"],
        target=0.5,
        detail=f"{1e3 / each_ms['windlass']:,.0f} a second, the floor {1e3 / each_ms['bare']:,.0f}; "
        f"{CONNECTIONS} connections, bodies of 8 kB; times the floor's: {min(ratios):.2f}–{max(ratios):.2f}; "
        f"processor time {cpu_us['windlass']:.0f} µs, the floor {cpu_us['bare']:.0f} µs",
    )
    return [
        many,
        _figure("  its answer, 99 of 100", ours.p99_ms(), bare.p99_ms(), target=30),
        _figure("a delivery alone, its answer", ours.alone_ms(50), bare.alone_ms(50), target=10),
        _figure("  99 of 100", ours.alone_ms(99), bare.alone_ms(99), target=10),
    ]


def _figure(what: str, ours_ms: float, floor_ms: float, *, target: float, detail: str = "") -> Figure:
    return Figure(
        what=what,
        unit="ms",
        ours=ours_ms,
        floor=Beside(name=_FLOOR, value=floor_ms),
        bound=ours_ms,
        bound_unit="ms",
        target=target,
        detail=detail,
    )


def _nth_ms(latencies_s: list[float], nth: int) -> float:
    return statistics.quantiles(latencies_s, n=100)[nth - 1] * 1e3


def _configure(folder: Path) -> None:
    (folder / "secret").write_text(_SECRET)
    (folder / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[credentials.nobody]
token = {{file = "secret"}}
[[repository]]
url = "https://127.0.0.1:9/{REPOSITORY}"
forge = "github"
credentials = "nobody"
webhook_secret = {{file = "secret"}}
poll_s = 0
[[host]]
engine = "process"
"""
    )


@contextlib.contextmanager
def _bare(folder: Path) -> Iterator[_Server]:
    """The floor, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.ingest_floor", str(folder / "floor.db"), _SECRET]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield _Server(port=process.stdout.readline().strip(), pid=process.pid)
        process.terminate()
