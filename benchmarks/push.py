"""From `git push` to the container's start, by the hook that `windlass hook` prints."""

from __future__ import annotations

import json
import statistics
import subprocess
import threading
import time
import uuid
from pathlib import Path

from benchmarks.containers import COMMAND, IMAGE
from benchmarks.figures import Beside, Figure
from benchmarks.measuring import BenchmarkFailed, Sample, in_turn
from benchmarks.repositories import ENVIRONMENT, WINDLASS, git, graph, working_tree
from benchmarks.serving import Serving

_TOKEN = "benchmark"
_CONTAINER_WAIT_S = 20.0


class _Starts:
    """The engine's own word on when containers started."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["docker", "events", "--filter", "type=container", "--format", "{{json .}}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._found: list[tuple[str, float]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if event.get("Action", event.get("status")) == "start":
                name = event["Actor"]["Attributes"]["name"]
                with self._changed:
                    self._found.append((name, event["timeNano"] / 1e9))
                    self._changed.notify_all()

    def after(self, moment: float, sign: str) -> float:
        """When a container with `sign` in its name started first, after that moment."""

        def found() -> list[float]:
            return [at for name, at in self._found if sign in name and at > moment]

        with self._changed:
            if not self._changed.wait_for(found, _CONTAINER_WAIT_S):
                raise BenchmarkFailed(f"no container '{sign}' started")
            return found()[0]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def push(folder: Path, *, rounds: int) -> list[Figure]:
    """Beside a hook that starts the container itself, without a network: nothing can be sooner."""
    mark = f"bench-{uuid.uuid4().hex[:8]}"
    files = {".windlass/workflows/ci.yaml": graph(1, is_chain=True).replace("j0", mark)}
    work = working_tree(folder / "work", files)
    bare, plain = (_bare(folder / f"{name}.git", work) for name in ("hooked", "plain"))
    _configure(folder, bare)
    starts = _Starts()
    try:
        with Serving(folder) as daemon:
            _install_hook(bare, daemon.address)
            _hook(plain, f"docker run --rm --name floor-{mark}-$$ --network none {IMAGE} {' '.join(COMMAND)}")
            turns = in_turn(
                {
                    "windlass": lambda: _push(work, bare, starts, f"-{mark}-1"),
                    "docker run": lambda: _push(work, plain, starts, f"floor-{mark}"),
                },
                rounds=rounds,
                warm=True,
            )
    finally:
        starts.close()
    over = turns.differences("windlass", "docker run", lambda sample: sample.wall_s)
    return [
        Figure(
            what="push to container start",
            unit="s",
            ours=turns.wall_s("windlass"),
            floor=Beside(name="the hook itself: docker run --network none", value=turns.wall_s("docker run")),
            bound=statistics.median(over),
            bound_unit="s",
            spread=(min(over), max(over)),
            target=0.15,
            detail="measured: over the floor",
        )
    ]


def _bare(place: Path, work: Path) -> Path:
    git(place.parent, "init", "-q", "--bare", "-b", "main", str(place))
    git(work, "push", "-q", str(place), "main")
    return place


def _configure(folder: Path, repository: Path) -> None:
    (folder / "secret").write_text(_TOKEN)
    (folder / "windlass.toml").write_text(
        '[server]\nlisten = "127.0.0.1:0"\n[storage]\npath = "storage"\n'
        f'[[repository]]\nurl = "{repository}"\npoll_s = 0\nwebhook_secret = {{file = "secret"}}\n'
    )


def _install_hook(repository: Path, server: str) -> None:
    words = [WINDLASS, "hook", "--repo", str(repository), "--server", server]
    script = subprocess.run(words, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout
    _write(repository / "hooks" / "post-receive", script)
    secret = repository / "hooks" / "windlass.secret"
    secret.write_text(_TOKEN)
    secret.chmod(0o600)


def _hook(repository: Path, command: str) -> None:
    _write(repository / "hooks" / "post-receive", f"#!/bin/sh\n{command} </dev/null >/dev/null 2>&1 &\n")


def _write(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def _push(work: Path, target: Path, starts: _Starts, sign: str) -> Sample:
    """One push; the wall time is from the call of git to the container's start."""
    git(work, "commit", "-q", "--allow-empty", "-m", "once more")
    begin = time.time()
    git(work, "push", "-q", str(target), "main")
    took = starts.after(begin, sign) - begin
    _settle(target)
    return Sample(wall_s=took)


def _settle(target: Path) -> None:
    """Wait until nothing is left to do of that push, so that the next one is measured alone."""
    pause, deadline = threading.Event(), time.monotonic() + _CONTAINER_WAIT_S
    words = ["docker", "ps", "-aq", "--filter", "name=bench-"]
    while subprocess.run(words, check=True, capture_output=True).stdout and time.monotonic() < deadline:
        pause.wait(0.1)
    pause.wait(1.0)
