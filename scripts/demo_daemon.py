"""The daemon of the demo: started in its folder, asked, waited for, and stopped with all that it started."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from demo_terminal import WINDLASS, DemoFailed, echo, quiet

SETTINGS = """\
[server]
listen = "127.0.0.1:0"

[storage]
path = "state"

[[repository]]
url = "digits.git"
poll_s = 0.5

[[host]]
name = "local"
engine = "{engine}"
"""
PATIENCE_S = 60


class Daemon:
    """`windlass serve`, while it runs."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    def runs(self) -> list[dict[str, Any]]:
        said = quiet(WINDLASS, "runs", "--json", cwd=self.folder)
        return [json.loads(line) for line in said.stdout.splitlines()] if said.returncode == 0 else []

    def await_run(self) -> str:
        """The run that the push became."""
        for _ in self._until_patience_ends("the push did not become a run"):
            if runs := self.runs():
                return str(runs[0]["id"])
        raise AssertionError

    def await_status(self) -> None:
        """Wait until the final word has been posted."""
        for _ in self._until_patience_ends("no status came to stand on the commit"):
            said = quiet(WINDLASS, "status", "--json", cwd=self.folder / "work")
            unfinished = ("queued", "waiting", "running")
            if said.returncode == 0 and json.loads(said.stdout)["state"] not in unfinished:
                return

    def stop(self, *, cancel: bool = False) -> None:
        """End it and all that it started. A second Ctrl-C does not keep us from it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        runs = self.runs()
        if cancel and self.process.poll() is None:
            for run in runs:
                quiet(WINDLASS, "cancel", run["id"], "--wait", cwd=self.folder, timeout_s=30)
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for run in runs:
            remove_rest(run["id"])

    def _until_patience_ends(self, problem: str) -> Iterator[None]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None:
            yield
            time.sleep(0.1)
        give_up(self.folder, problem)


@contextmanager
def daemon(folder: Path, *, engine: str, keep: bool) -> Iterator[Daemon]:
    """A daemon in that folder, stopped at the end (with what runs) unless it is kept."""
    (folder / "windlass.toml").write_text(SETTINGS.format(engine=engine))
    words = ("serve", "--config", "windlass.toml")
    echo("windlass", *words)
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            [WINDLASS, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: we stop it in order
        )
    running = Daemon(folder, process)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            give_up(folder, "the daemon did not start")
        print(line, flush=True)
        yield running
    except BaseException:
        running.stop(cancel=True)
        raise
    if not keep:
        running.stop()


def give_up(folder: Path, problem: str) -> NoReturn:
    log = (folder / "daemon.log").read_text(errors="replace").splitlines()[-15:]
    raise DemoFailed("\n".join([problem, "the daemon said last:", *(f"  {line}" for line in log)]))


def remove_rest(run: str) -> None:
    """What a daemon that could not stop in order may have left in Docker."""
    if shutil.which("docker") is None:
        return
    label = ("--filter", f"label=windlass.run={run}")
    for kind, listing, removal in (
        ("container", ("--all",), ("rm", "--force", "--volumes")),
        ("network", (), ("rm",)),
    ):
        listed = quiet("docker", kind, "ls", "--quiet", *listing, *label)
        if names := listed.stdout.split():
            quiet("docker", kind, *removal, *names)
