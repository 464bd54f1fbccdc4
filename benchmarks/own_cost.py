"""What a job costs beyond the bare engine's calls, with its state on the disk and its log streamed."""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from benchmarks.containers import PlainConnection, bare, open_sdk, sandboxes, sdk
from benchmarks.figures import Beside, Figure
from benchmarks.measuring import Sample, Turns, in_turn, timed
from benchmarks.repositories import graph
from benchmarks.running import Bench
from windlass_runner.engines.docker import DockerEngine
from windlass_runner.plan.model import Plan
from windlass_runner.testing import FakeEngine, says

_JOBS = 20
_FAKE_JOBS = 60
_FLOOR = "create, start, logs, wait, remove by the SDK, joined namespace"
_BOUND = "env: {BEFORE: '${{ join(needs.*.result) }}'}, "
"""Makes each job depend on how its predecessor ended, so that nothing of it can be made ahead."""


def own_cost(folder: Path, *, rounds: int) -> list[Figure]:
    """Beside the bare calls in the same network mode, and without any engine."""
    return [*_with_docker(folder / "docker", rounds), *_without_engine(folder / "fake", rounds)]


def _with_docker(folder: Path, rounds: int) -> list[Figure]:
    engine = DockerEngine(environment=os.environ, owner=f"benchmark-{uuid.uuid4().hex[:8]}")
    bench = Bench(root=folder, engine=engine)
    api, connection = open_sdk(), PlainConnection()
    usual = bench.plan(graph(_JOBS, is_chain=True))
    bound = bench.plan(graph(_JOBS, is_chain=True, extra=_BOUND))
    try:
        with sandboxes(api, 1) as [sandbox]:
            network = f"container:{sandbox}"
            turns = in_turn(
                {
                    "ours": lambda: _jobs_alone(bench, usual),
                    "nothing ahead": lambda: _jobs_alone(bench, bound),
                    "SDK": lambda: timed(lambda: sdk(api, _JOBS, network=network)),
                    "bare": lambda: timed(lambda: bare(connection, _JOBS, network=network)),
                },
                rounds=rounds,
                warm=True,
            )
    finally:
        bench.close()
        connection.close()
        api.close()
    return [
        _over(turns, "ours", "wall", "own wall time of a job", 10.0),
        _over(turns, "nothing ahead", "wall", "… with nothing made ahead", None),
        _over(turns, "ours", "cpu", "own processor time of a job", 5.0),
        _over(turns, "nothing ahead", "cpu", "… with nothing made ahead", None),
    ]


def _jobs_alone(bench: Bench, plan: Plan) -> Sample:
    """A chain's jobs, without making and removing the run's network: the bare calls have none to make."""
    begin = time.process_time()
    run_id = bench.run(plan)
    return Sample(wall_s=bench.jobs_took_s(run_id), cpu_s=time.process_time() - begin)


def _over(turns: Turns, way: str, kind: str, what: str, target: float | None) -> Figure:
    def per_job(sample: Sample) -> float:
        return (sample.wall_s if kind == "wall" else sample.cpu_s) / _JOBS * 1e3

    def median(name: str) -> float:
        return statistics.median(per_job(sample) for sample in turns.samples[name])

    over = turns.differences(way, "SDK", per_job)
    return Figure(
        what=what,
        unit="ms",
        ours=median(way),
        floor=Beside(name=_FLOOR, value=median("SDK")),
        peer=Beside(name="the same calls by plain HTTP", value=median("bare")),
        bound=statistics.median(over),
        bound_unit="ms",
        spread=(min(over), max(over)),
        target=target,
        detail="measured: over the floor",
    )


def _without_engine(folder: Path, rounds: int) -> list[Figure]:
    """With an engine whose containers take no time: all that remains is ours."""
    engine = FakeEngine()
    engine.add_program(says(b"hello\n"))
    bench = Bench(root=folder, engine=engine)
    plan = bench.plan(graph(_FAKE_JOBS, is_chain=True))
    turns = in_turn({"ours": lambda: timed(lambda: bench.run(plan))}, rounds=rounds, warm=True)
    bench.close()
    samples = turns.samples["ours"]
    return [
        _pure("wall time", "ms", [sample.wall_s * 1e3 for sample in samples], target=10.0),
        _pure("processor time", "ms", [sample.cpu_s * 1e3 for sample in samples], target=5.0),
        _pure("waits", "", [sample.waits for sample in samples], target=None),
    ]


def _pure(what: str, unit: str, taken: Sequence[float], *, target: float | None) -> Figure:
    per_job = [one / _FAKE_JOBS for one in taken]
    return Figure(
        what=f"{what} of a job without an engine",
        unit=unit,
        ours=statistics.median(per_job),
        bound=statistics.median(per_job),
        bound_unit=unit,
        spread=(min(per_job), max(per_job)),
        target=target,
        detail="all that is ours: state on the disk, log, folders, threads (and the fake's own)",
    )
