"""One process group in place of a container: a folder with what is known of it, and its supervisor.

identity.json   run, name, health: what `find` and `destroy` need
launch.json     command and environment; gone once it runs, for secrets may be among it
supervisor      process number and start time of its supervisor, once it has one
log             everything it wrote
peak            how many bytes its largest process needed, once it has ended
exit            its exit code, once it has ended
home/  tmp/     its HOME and TMPDIR
root/           where its root is put together, in its own mount namespace only
"""

from __future__ import annotations

import fcntl
import json
import marshal
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from windlass_registry.errors import OperatorError
from windlass_runner.engines.base import (
    CommandNotStartable,
    ContainerExit,
    ContainerState,
    EngineUnavailable,
    HostFull,
)

_PACKAGES = Path(__file__).parents[2]
_SUPERVISE = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from windlass_runner.engines.process_supervisor import main; main()"
)
"""A module and no script, so that its compiled form is kept; `-I -S`: no site, nobody's variables."""
PEAK = "peak"
MARK = "WINDLASS_CONTAINER"
"""In the environment of every process that we start: its container's folder."""
_KILLED = 137
_NOT_STARTED = 127
_KILL_PATIENCE_S = 10.0
_READ_BYTES = 1 << 16
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.005, 0.05


class ProcessContainer:
    """See `base.Container`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def image(self) -> str:
        return ""

    def state(self) -> ContainerState:
        if (self._folder / "exit").exists() or not self._folder.exists():
            return "ended"  # or removed, by whoever
        if not (self._folder / "supervisor").exists():
            return "created"
        with self._supervisor() as supervisor:
            if supervisor is not None:
                return "running"
        self._settle()
        return "ended"

    def start(self) -> None:
        with self._starting():
            if self.state() != "created":
                return
            launch = self._folder / "launch.json"
            answer = launch_supervisor(json.loads(launch.read_bytes()))
            launch.unlink()
            if answer != "ok":
                self._settle(_NOT_STARTED)
                raise _not_started(self.name, answer)

    def logs(self) -> Iterator[bytes]:
        path = self._folder / "log"
        pause = threading.Event()
        wait_s = _FIRST_WAIT_S
        while not path.exists() and self.state() != "ended":
            pause.wait(wait_s)
        if not path.exists():
            return
        with path.open("rb", buffering=0) as log:
            while True:
                has_ended = self.state() == "ended"
                is_quiet = True
                while piece := log.read(_READ_BYTES):
                    is_quiet = False
                    yield piece
                if has_ended:
                    return
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S) if is_quiet else _FIRST_WAIT_S
                if self._wait_for_end(wait_s) and self.state() == "created":
                    pause.wait(wait_s)  # it has not been started yet

    def wait(self) -> ContainerExit:
        pause = threading.Event()
        while self.state() != "ended":
            if self.state() == "created":
                pause.wait(_LONGEST_WAIT_S)
            else:
                self._wait_for_end(None)
        try:
            return ContainerExit(code=int((self._folder / "exit").read_text()))
        except FileNotFoundError:
            return ContainerExit(code=_KILLED)  # removed while somebody waited for it

    def wait_healthy(self, *, timeout_s: float) -> bool:
        return self.state() == "running"

    def stop(self, *, grace_s: float) -> None:
        if self.state() != "running":
            return
        self._signal(signal.SIGTERM)
        if self._wait_for_end(grace_s):
            return
        self._signal(signal.SIGUSR1)  # the supervisor kills everything and writes it down
        if not self._wait_for_end(_KILL_PATIENCE_S):
            self._signal(signal.SIGKILL)
            self._wait_for_end(_KILL_PATIENCE_S)
        self.state()

    def remove(self, *, wait: bool = False) -> None:
        if self._folder.exists():
            self.stop(grace_s=0)
            _delete_tree(self._folder)

    # -- the supervisor ----------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        with self._supervisor() as supervisor:
            if supervisor is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(supervisor, number)

    def _wait_for_end(self, timeout_s: float | None) -> bool:
        """Whether the supervisor has ended, after waiting for it at most so long."""
        with self._supervisor() as supervisor:
            if supervisor is None:
                return True
            ended = select.poll()
            ended.register(supervisor, select.POLLIN)
            return bool(ended.poll(None if timeout_s is None else max(1, int(timeout_s * 1000))))

    @contextmanager
    def _supervisor(self) -> Iterator[int | None]:
        """A descriptor of the supervisor's process; None: it lives no longer."""
        descriptor = _open_process(self._folder / "supervisor")
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _settle(self, code: int = _KILLED) -> None:
        """The supervisor went without a word (killed, or the host went down): say so in its place."""
        if (self._folder / "exit").exists() or not self._folder.exists():
            return
        _kill_marked(self._folder)
        mine = self._folder / f"exit.{os.getpid()}.{threading.get_ident()}"
        mine.write_text(str(code))
        mine.rename(self._folder / "exit")

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """One start at a time, also among several daemons."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def launch_supervisor(launch: Mapping[str, Any]) -> str:
    """Leave a supervisor behind; `ok`, or what it could not do.

    Raises:
        EngineUnavailable: Python itself cannot be started.
    """
    command = [sys.executable, "-I", "-S", "-c", _SUPERVISE, str(_PACKAGES)]
    done = subprocess.run(command, input=marshal.dumps(dict(launch)), capture_output=True, check=False)
    if done.returncode != 0:
        raise EngineUnavailable(
            f"the supervisor did not start: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout.decode(errors="replace")


def _not_started(name: str, answer: str) -> OperatorError:
    if answer.startswith(("command", "folder")):
        return CommandNotStartable(
            f"'{name}' cannot be started: {answer}", remedy="is the program installed on this host?"
        )
    if "No space left on device" in answer:
        return HostFull(f"'{name}' cannot be started: {answer}", remedy="free some space")
    return OperatorError(f"'{name}' cannot be started: {answer}")


def _open_process(record: Path) -> int | None:
    """A descriptor of the process written down there, if it is still that one (numbers are reused)."""
    try:
        number, started = record.read_text().split()
        descriptor = os.pidfd_open(int(number))
    except (OSError, ValueError):
        return None
    if _start_time(number) == started:
        return descriptor
    os.close(descriptor)
    return None


def _start_time(number: str) -> str | None:
    """When a living process started, in clock ticks since boot (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _kill_marked(folder: Path) -> None:
    """Kill what an unexpected end of the supervisor has left, known by its environment."""
    mark = f"{MARK}={folder}".encode()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)


def _delete_tree(folder: Path) -> None:
    """Delete what a job may have protected from being deleted."""

    def unlock(function: Callable[[str], object], path: str, error: object) -> None:
        with suppress(OSError):
            Path(path).parent.chmod(stat.S_IRWXU)
            Path(path).chmod(stat.S_IRWXU)
        with suppress(FileNotFoundError):
            function(path)

    shutil.rmtree(folder, onerror=unlock)
