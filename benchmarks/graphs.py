"""Whole graphs of no-op containers: `windlass run` beside `docker run` in a script and in `make -j4`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.containers import COMMAND, IMAGE, docker_run, open_sdk, sdk_joined
from benchmarks.figures import Beside, Figure
from benchmarks.measuring import Sample, Turns, in_turn, timed, timed_command
from benchmarks.repositories import ENVIRONMENT, WINDLASS, graph, working_tree

_CHAIN, _FAN_OUT, _PARALLEL = 20, 100, 4


def chain(folder: Path, *, rounds: int) -> list[Figure]:
    """A chain of 20, as a whole process, against 20 times `docker run --rm`."""
    root = working_tree(folder / "chain", {"chain.yaml": graph(_CHAIN, is_chain=True)})
    api = open_sdk()

    def ours() -> Sample:
        return timed_command([WINDLASS, "run", "chain.yaml"], folder=root, environment=ENVIRONMENT)

    turns = in_turn(
        {
            "windlass run": ours,
            "docker run --rm": lambda: timed(lambda: docker_run(_CHAIN)),
            "SDK": lambda: timed(lambda: sdk_joined(api, _CHAIN)),
        },
        rounds=rounds,
    )
    api.close()
    return [_figure("chain of 20 jobs", turns, peer="docker run --rm", target=0.60)]


def fan_out(folder: Path, *, rounds: int) -> list[Figure]:
    """A hundred jobs, four at once, against `make -j4`."""
    targets = " ".join(f"t{number}" for number in range(_FAN_OUT))
    makefile = f"all: {targets}\nt%:\n\t@docker run --rm {IMAGE} {' '.join(COMMAND)}\n"
    files = {"fan.yaml": graph(_FAN_OUT, is_chain=False), "Makefile": makefile}
    root = working_tree(folder / "fan", files)
    api = open_sdk()

    def ours() -> Sample:
        words = [WINDLASS, "run", "fan.yaml", "--parallel", str(_PARALLEL)]
        return timed_command(words, folder=root, environment=ENVIRONMENT)

    def make() -> Sample:
        return timed_command(["make", "-s", f"-j{_PARALLEL}"], folder=root, environment=ENVIRONMENT)

    turns = in_turn(
        {
            "windlass run": ours,
            "make -j4": make,
            "SDK": lambda: timed(lambda: sdk_joined(api, _FAN_OUT, parallel=_PARALLEL)),
        },
        rounds=rounds,
    )
    api.close()
    return [_figure("fan-out of 100, 4 at once", turns, peer="make -j4", target=0.70)]


def _figure(what: str, turns: Turns, *, peer: str, target: float) -> Figure:
    ratios = turns.ratios("windlass run", peer)
    floor = Beside(name="SDK, joined namespace, in turn", value=turns.wall_s("SDK"))
    own, cpu = turns.wall_s("windlass run"), turns.cpu_s("windlass run")
    return Figure(
        what=what,
        unit="s",
        ours=own,
        floor=floor,
        peer=Beside(name=peer, value=turns.wall_s(peer)),
        bound=sorted(ratios)[len(ratios) // 2],
        spread=(min(ratios), max(ratios)),
        target=target,
        detail=f"measured: of the peer; {own / floor.value:.2f} of the floor; our CPU {cpu:.2f} s",
    )
