"""Small commands as whole processes: what a person waits for before anything appears."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.figures import Beside, Figure
from benchmarks.measuring import Sample, in_turn, timed_command
from benchmarks.repositories import ENVIRONMENT, WINDLASS, git, working_tree


def start_up(folder: Path, *, rounds: int) -> list[Figure]:
    """`windlass --help` beside a bare Python, `windlass status` beside Python and git."""
    root = working_tree(folder / "tree", {"README": "x\n"})
    note = {
        "version": 1,
        "state": "success",
        "workflows": [{"workflow": "ci", "state": "success", "jobs": []}],
    }
    git(root, "notes", "--ref=windlass", "add", "-m", json.dumps(note))

    def process(*words: str) -> Sample:
        return timed_command(words, folder=root, environment=ENVIRONMENT)

    turns = in_turn(
        {
            "help": lambda: process(WINDLASS, "--help"),
            "status": lambda: process(WINDLASS, "status", "--no-fetch"),
            "python": lambda: process(sys.executable, "-c", "pass"),
            "git": lambda: process("git", "notes", "--ref=windlass", "show"),
        },
        rounds=rounds,
        warm=True,
    )
    python, shown = turns.wall_s("python") * 1e3, turns.wall_s("git") * 1e3
    floors = {
        "help": Beside(name="python -c pass", value=python),
        "status": Beside(name="python -c pass, and git notes show", value=python + shown),
    }
    names = {"help": "windlass --help", "status": "windlass status"}
    figures = []
    for way, floor in floors.items():
        walls = [sample.wall_s * 1e3 for sample in turns.samples[way]]
        figures.append(
            Figure(
                what=names[way],
                unit="ms",
                ours=turns.wall_s(way) * 1e3,
                floor=floor,
                bound=turns.wall_s(way) * 1e3,
                bound_unit="ms",
                spread=(min(walls), max(walls)),
                target=80.0,
            )
        )
    return figures
