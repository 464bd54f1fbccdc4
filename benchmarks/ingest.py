"""Webhooks of GitHub, many at once: each on disk before it is answered."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Beside, Figure
from benchmarks.ingest_load import CONNECTIONS, DELIVERIES, REPOSITORY
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn
from benchmarks.serving import Serving

_SECRET = "benchmark"
_FLOOR = "uvicorn, bare: verify and commit"


def ingest(folder: Path, *, rounds: int) -> list[Figure]:
    """Beside a server that does nothing else. The repository cannot be reached, so that nothing is handled
    meanwhile: what is measured is the taking in."""
    _configure(folder)
    last: dict[str, list[float]] = {"windlass": [], "bare": []}
    with Serving(folder) as daemon, _bare(folder) as bare_port:
        ports = {"windlass": daemon.address.rpartition(":")[2], "bare": bare_port}
        turns = in_turn(
            {way: lambda way=way: _load(ports[way], last[way]) for way in ports}, rounds=rounds, warm=True
        )
    each_ms = {way: turns.wall_s(way) / DELIVERIES * 1e3 for way in ports}
    p99_ms = {way: statistics.median(found[1:]) for way, found in last.items()}
    ratios = turns.ratios("windlass", "bare")
    return [
        Figure(
            what="durable delivery, many at once",
            unit="ms",
            ours=each_ms["windlass"],
            floor=Beside(name=_FLOOR, value=each_ms["bare"]),
            bound=each_ms["windlass"],
            bound_unit="ms",
            target=0.5,
            detail=f"{1e3 / each_ms['windlass']:,.0f} a second, the floor {1e3 / each_ms['bare']:,.0f}; "
            f"{CONNECTIONS} connections, bodies of 8 kB; times the floor's: "
            f"{min(ratios):.2f}–{max(ratios):.2f}",
        ),
        Figure(
            what="  its answer, 99 of 100",
            unit="ms",
            ours=p99_ms["windlass"],
            floor=Beside(name=_FLOOR, value=p99_ms["bare"]),
            bound=p99_ms["windlass"],
            bound_unit="ms",
            target=30,
        ),
    ]


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
def _bare(folder: Path) -> Iterator[str]:
    """The floor, in a process of its own; its port."""
    words = [sys.executable, "-m", "benchmarks.ingest_floor", str(folder / "floor.db"), _SECRET]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _load(port: str, last: list[float]) -> Sample:
    """All deliveries of one round; the 99th of 100 answers, in ms, is added to `last`."""
    words = [sys.executable, "-m", "benchmarks.ingest_load", port, _SECRET]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(done.stderr[-2000:])
    found = json.loads(done.stdout)
    last.append(statistics.quantiles(found["latencies_s"], n=100)[98] * 1e3)
    return Sample(wall_s=found["wall_s"])
