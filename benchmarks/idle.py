"""What a daemon takes that has nothing to do: memory, and processor time while it polls."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.measuring import process_cpu_s
from benchmarks.repositories import git, working_tree
from benchmarks.serving import Serving

_REPOSITORIES = 100
_SETTLE_S, _WATCHED_S = 8.0, 60.0


def idle(folder: Path, *, rounds: int) -> list[Figure]:
    """One daemon, watched for a minute for each round."""
    work = working_tree(folder / "work", {"README": "x\n"})
    template = folder / "template.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(template))
    git(work, "push", "-q", str(template), "main")
    lines = ['[server]\nlisten = "127.0.0.1:0"\n[storage]\npath = "storage"\n']
    for number in range(_REPOSITORIES):
        place = folder / f"r{number}.git"
        shutil.copytree(template, place)
        lines.append(f'[[repository]]\nurl = "{place}"\nname = "r{number}"\npoll_s = 2\n')
    (folder / "windlass.toml").write_text("".join(lines))
    pause, shares = threading.Event(), []
    with Serving(folder) as daemon:
        pause.wait(_SETTLE_S)
        for _ in range(rounds):
            before, begin = process_cpu_s(daemon.pid), time.monotonic()
            pause.wait(_WATCHED_S)
            shares.append((process_cpu_s(daemon.pid) - before) / (time.monotonic() - begin) * 100)
        memory = _memory_mb(daemon.pid)
    share = sorted(shares)[len(shares) // 2]
    what = f"idle daemon, {_REPOSITORIES} repositories"
    return [
        Figure(what=f"{what}: memory", unit="MB", ours=memory, bound=memory, bound_unit="MB", target=80.0),
        Figure(
            what=f"{what}: processor",
            unit="%",
            ours=share,
            bound=share,
            bound_unit="%",
            spread=(min(shares), max(shares)),
            target=1.0,
            detail=f"of one core, over {_WATCHED_S:.0f} s, polled every 2 s, with its children",
        ),
    ]


def _memory_mb(pid: int) -> float:
    """What lies in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0
