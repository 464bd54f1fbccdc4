"""All measurements, as one table: `python -m benchmarks [NAME…] [--rounds N] [--json]`."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.measuring import BenchmarkFailed, machine

BENCHMARKS: dict[str, tuple[str, str, int]] = {
    # name: module, function, rounds
    "chain": ("graphs", "chain", 5),
    "fan-out": ("graphs", "fan_out", 3),
    "own-cost": ("own_cost", "own_cost", 7),
    "growth": ("growth", "growth", 90),
    "planning": ("planning", "planning", 7),
    "resolving": ("resolving", "resolving", 9),
    "start-up": ("start_up", "start_up", 15),
    "push": ("push", "push", 11),
    "ingest": ("ingest", "ingest", 5),
    "idle": ("idle", "idle", 1),
}


def main() -> int:
    """0 where every target is met, 1 where one is missed, 2 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each way takes its turn")
    parser.add_argument("--json", action="store_true", help="one object on stdout in place of the table")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark '{name}'; there are: {', '.join(BENCHMARKS)}")
    script = Path(__file__).parents[1] / "scripts" / "test-images"
    subprocess.run([sys.executable, str(script)], check=True, stdout=sys.stderr)
    where = machine()
    figures: list[Figure] = []
    failures: list[str] = []
    for name in options.names or BENCHMARKS:
        begin = time.monotonic()
        try:
            figures += _measure(name, options.rounds)
        except Exception as error:  # the others are measured all the same
            failures.append(
                f"{name}: {error}" if isinstance(error, BenchmarkFailed) else f"{name}: {error!r}"
            )
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    if options.json:
        found = {"machine": where, "figures": [one.as_json() for one in figures], "failures": failures}
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print(f"{where}\nmedians, measured in turn; 'measured' is what the target bounds\n\n{table(figures)}")
        for failure in failures:
            print(f"COULD NOT BE MEASURED: {failure}")
    return 2 if failures else int(any(figure.is_met is False for figure in figures))


def _measure(name: str, rounds: int | None) -> list[Figure]:
    module, function, usual = BENCHMARKS[name]
    measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as folder:
        found: list[Figure] = measure(Path(folder), rounds=rounds or usual)
    return found


if __name__ == "__main__":
    sys.exit(main())
