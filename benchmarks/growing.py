"""A daemon that watches many repositories and remembers many runs; for `growth`, in a process of its own.

    python -m benchmarks.growing FOLDER COUNT JOBS

For each line on stdin it pushes once, waits for the run's end and prints what that took.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

from benchmarks.repositories import git, graph, working_tree
from benchmarks.running import Bench
from windlass_runner.daemon.settings import load_settings
from windlass_runner.daemon.wiring import wire
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, RunUpdate
from windlass_runner.run.prepare import new_run
from windlass_runner.testing import FakeEngine, says

_POLLING = "windlass-poller"
_QUIET = 0.15
"""Seconds of processor time in three seconds, at most, of a daemon that only polls."""


def main() -> None:
    folder, count, jobs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True)
    workflow = graph(jobs, is_chain=True)
    work = working_tree(folder / "work", {".windlass/workflows/ci.yaml": workflow})
    repositories = _repositories(folder, count)
    _remember(folder, count)
    settings = folder / "windlass.toml"
    settings.write_text(
        '[server]\nlisten = "127.0.0.1:0"\n[storage]\npath = "storage"\n'
        + "".join(_watched(path, poll_s=2.0 if number else 0.1) for number, path in enumerate(repositories))
    )
    engine = FakeEngine()
    engine.add_program(says(b"hello\n"))
    daemon = wire(load_settings(settings, os.environ), os.environ, engine=engine)
    daemon.start()
    _settle()
    print("{}", flush=True)
    for number, _ in enumerate(sys.stdin):
        git(work, "commit", "-q", "--allow-empty", "-m", f"push {number}")
        sha = git(work, "rev-parse", "HEAD")
        git(work, "push", "-q", str(repositories[0]), "main")
        print(json.dumps(_watch(daemon.ledger, sha)), flush=True)
    daemon.stop()


def _watched(path: Path, *, poll_s: float) -> str:
    return f'[[repository]]\nurl = "{path}"\nname = "{path.name}"\npoll_s = {poll_s}\n'


def _repositories(folder: Path, count: int) -> list[Path]:
    """Bare repositories, each with a commit of its own making."""
    template = folder / "template.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(template))
    shutil.rmtree(template / "hooks")
    git(folder / "work", "push", "-q", str(template), "main")
    places = [folder / f"r{number}.git" for number in range(count)]
    for place in places:
        shutil.copytree(template, place)
    return places


def _remember(folder: Path, count: int) -> None:
    """Past runs, each of a repository and a workflow of its own."""
    bench = Bench(root=folder, engine=FakeEngine())
    plan = bench.plan(graph(3, is_chain=True))
    for number in range(count):
        at = time.time()
        run = new_run(plan, repository=str(folder / f"r{number}.git"))
        run_id = bench.ledger.runs.create(run, at=at)
        assert run_id is not None
        ended = [JobUpdate(key=job.key, state="success", ended_at=at) for job in plan.jobs]
        bench.ledger.runs.record(run_id, run=RunUpdate(state="success", ended_at=at), jobs=ended, at=at)
    bench.close()


def _settle() -> None:
    """Wait until every repository was looked at, and nothing is left to do but to look again."""
    pause = threading.Event()
    spent, before = 1.0, 0.0
    while spent > _QUIET:
        pause.wait(3.0)
        now = sum(os.times()[:4])  # with the git processes that it started
        spent, before = now - before, now


def _watch(ledger: Ledger, sha: str) -> dict[str, float]:
    """Wait for the run of a commit; what its jobs took, and the processor time until its end."""
    pause, deadline = threading.Event(), time.monotonic() + 120
    begin = _working_s()
    while time.monotonic() < deadline:
        newest = ledger.runs.list(limit=1)[0]
        if newest.sha == sha and newest.ended_at is not None and newest.started_at is not None:
            took = newest.ended_at - newest.started_at
            return {"wall_s": took, "cpu_s": _working_s() - begin}
        pause.wait(0.05)
    raise SystemExit("the run did not end")


def _working_s() -> float:
    """Processor time of this process, but for the threads that only poll: those have to do more, the more
    is watched, whether anything runs or not."""
    polling = [thread.ident for thread in threading.enumerate() if thread.name.startswith(_POLLING)]
    clocks = [time.pthread_getcpuclockid(ident) for ident in polling if ident is not None]
    return time.process_time() - sum(map(time.clock_gettime, clocks))


if __name__ == "__main__":
    main()
