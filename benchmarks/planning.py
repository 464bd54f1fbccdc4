"""Large workflow files: read, checked and planned, and how soon the first of very many jobs starts."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Beside, Figure
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn, timed, timed_command
from benchmarks.repositories import ENVIRONMENT, WINDLASS, graph, large_file, working_tree
from windlass_registry.catalog import Catalog
from windlass_registry.store import Store
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

_LARGE, _LESS, _MANY = 500, 1000, 10_000


def planning(folder: Path, *, rounds: int) -> list[Figure]:
    """In this process, as the daemon does it; then whole processes."""
    folder.mkdir(exist_ok=True)
    large, less, many = large_file(_LARGE), graph(_LESS, is_chain=False), graph(_MANY, is_chain=False)
    packages = Store(folder / "packages")
    ways: dict[str, Callable[[], Sample]] = {
        "large": lambda: timed(lambda: _plan(large, packages)),
        "YAML": lambda: timed(lambda: _only_yaml(large)),
        "less": lambda: timed(lambda: _plan(less, packages)),
    }
    root = working_tree(folder / "tree", {"large.yaml": large, "many.yaml": many})
    ways["command"] = lambda: timed_command(
        [WINDLASS, "plan", "large.yaml"], folder=root, environment=ENVIRONMENT
    )
    turns = in_turn(ways, rounds=rounds, warm=True)
    few = in_turn(
        {"less": ways["less"], "many": lambda: timed(lambda: _plan(many, packages))}, rounds=min(rounds, 3)
    )
    walls = [sample.wall_s for sample in turns.samples["large"]]
    growth = [one * _LESS / _MANY for one in few.ratios("many", "less")]
    starts = [_first_start(root) for _ in range(min(rounds, 3))]
    return [
        Figure(
            what=f"plan of {_LARGE} jobs, {large.count(chr(10))} lines",
            unit="s",
            ours=turns.wall_s("large"),
            floor=Beside(name="PyYAML's C loader alone", value=turns.wall_s("YAML")),
            bound=turns.wall_s("large"),
            bound_unit="s",
            spread=(min(walls), max(walls)),
            target=0.3,
            detail=(
                f"its processor time: {turns.cpu_s('large'):.3f} s; "
                f"whole `windlass plan`: {turns.wall_s('command'):.2f} s"
            ),
        ),
        Figure(
            what=f"plan of {_MANY} jobs, a job, of {_LESS}",
            unit="s",
            ours=few.wall_s("many"),
            floor=Beside(name=f"ten times {_LESS} jobs", value=few.wall_s("less") * _MANY / _LESS),
            bound=statistics.median(growth),
            spread=(min(growth), max(growth)),
            target=1.1,
        ),
        Figure(
            what=f"first job's start of {_MANY}",
            unit="s",
            ours=statistics.median(starts),
            bound=statistics.median(starts),
            bound_unit="s",
            spread=(min(starts), max(starts)),
            target=5.0,
            detail="`windlass run`, from nothing to the first line that a container wrote",
        ),
    ]


def _plan(text: str, packages: Store) -> None:
    event = Event(kind="push", repository="file:///srv/x.git", ref="refs/heads/main", sha="1" * 40)
    plan_run(
        parse_workflow(text, path="w.yaml"),
        event=event,
        reason="measured",
        root=Path("/nonexistent"),
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
        packages=packages,
    )


def _only_yaml(text: str) -> None:
    import yaml

    yaml.compose(text, Loader=yaml.CSafeLoader)


def _first_start(root: Path) -> float:
    """Seconds from nothing to the first output; then the run is stopped, and all its containers go."""
    begin = time.perf_counter()
    with subprocess.Popen(
        [WINDLASS, "run", "many.yaml"],
        cwd=root,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = b""
        while b"hello" not in said:
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                raise BenchmarkFailed(f"windlass run many.yaml ended: {said[-2000:].decode()}")
            said += piece
        took = time.perf_counter() - begin
        process.send_signal(signal.SIGINT)
        while os.read(process.stdout.fileno(), 65536):
            pass
    return took
