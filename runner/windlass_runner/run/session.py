"""Several steps in one container, one after the other, so that what one installs the next one finds.

The container's main process is a small shell script that waits for step numbers on a named pipe,
runs each step's script, and says on its output where a step begins and ends. Everything it writes
is in the engine's log: whoever comes back after a crash reads it again from the start, asks for the
same steps again, and gets each step's end without running it twice (a number is run once).

One step can be stopped and the next ones still run: a second shell waits on a second pipe for the
number of a step and a signal for its processes. The step has a session of its own where the image
has `setsid`; without it, only its first process gets the signal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
import stat
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.data.trees import read_plain
from windlass_runner.engines.base import Container
from windlass_runner.run.scratch import CONTROL, AttemptFolders

_DRIVER: Final = """\
exec 3<>{control}/next 4<>{control}/stop
if command -v setsid >/dev/null 2>&1; then set -- setsid; else set --; fi
while read -r n signal <&4; do
  read -r pid <{control}/steps/$n/pid && {{ kill -s "$signal" -- "-$pid" || kill -s "$signal" "$pid"; }}
done >/dev/null 2>&1 3<&- &
last=0
while read -r n <&3; do
  [ "$n" -gt "$last" ] || continue
  last=$n
  "$@" sh {control}/steps/$n/run </dev/null 3<&- 4<&-
  code=$?
  true >{control}/steps/$n/pid
  printf '\\036{token} %s %s\\n' "$n" "$code"
done
"""
# `env` is gone at once: were `timeout` before it, its arguments would show secrets to all users of the host.
# Its number stands there before it looks for `stop`, which stands there before the signal is sent: whenever
# the stop comes, the step sees one or the other.
_RUN: Final = """\
echo $$ >{control}/pid
[ ! -e {control}/stop ] || exit 143
cd {folder} || exit 1
{setup}exec env {variables} {timeout}{command}
"""

_TOKEN_LIMIT: Final = 100
_KILL_PATIENCE_S: Final = 5.0


class SessionEnded(Exception):
    """The container ended while a step was running; its exit tells why."""


def driver_command() -> tuple[str, ...]:
    """What a session's container executes."""
    return ("sh", f"{CONTROL}/driver")


def write_driver(folders: AttemptFolders) -> None:
    """Put the driver and its pipes in place; leaves those of an earlier life as they are."""
    driver = folders.control / "driver"
    if os.path.lexists(driver):
        return
    for pipe in (folders.control / "next", folders.control / "stop"):
        if not os.path.lexists(pipe):
            os.mkfifo(pipe)
            pipe.chmod(0o666)
    token = secrets.token_hex(16)
    control = SharedFolder(folders.control)
    control.write("token", token.encode())
    control.write("driver", _DRIVER.format(control=CONTROL, token=token).encode(), mode=0o755)


def write_step(
    folders: AttemptFolders,
    number: int,
    *,
    command: tuple[str, ...],
    env: dict[str, str],
    working_directory: str,
    path_additions: tuple[str, ...] = (),
    timeout_s: float | None = None,
) -> None:
    """Write the script that the driver runs for one step."""
    setup = ""
    if path_additions:
        setup = f"PATH={shlex.quote(':'.join(path_additions))}:$PATH; export PATH\n"
    timeout = ""
    if timeout_s is not None:
        setup += (
            "if command -v timeout >/dev/null 2>&1; then "
            f"set -- timeout -k 10 {timeout_s:g}; else set --; fi\n"
        )
        timeout = '"$@" '
    text = _RUN.format(
        control=f"{CONTROL}/steps/{number}",
        folder=shlex.quote(working_directory),
        setup=setup,
        timeout=timeout,
        variables=" ".join(shlex.quote(f"{name}={value}") for name, value in env.items()),
        command=shlex.join(command),
    )
    control = SharedFolder(folders.control)
    control.make_folder(f"steps/{number}")
    control.write(f"steps/{number}/run", text.encode("utf-8", "surrogateescape"))


class Session:
    """A running session container, seen from the host. Used by one thread, except `stop_step`."""

    def __init__(
        self,
        container: Container,
        folders: AttemptFolders,
        write: Callable[[bytes], None],
    ) -> None:
        self._container = container
        self._folders = folders
        self._write = write
        token = read_plain(folders.control / "token", limit_bytes=_TOKEN_LIMIT)
        self._marker = b"\x1e" + token.content + b" "
        self._pipe = _open_pipe(folders.control / "next")
        self._chunks: Iterator[bytes] = iter(())
        self._held = b""
        self._last = b""
        self._is_started = False
        self._ended = 0
        self._has_ended = threading.Condition()

    def run(self, number: int) -> int:
        """Run a step (or, after a crash, wait for the end of the one that ran), and give its exit code.

        Raises:
            SessionEnded: the container ended first.
        """
        if not self._is_started:
            self._container.start()
            self._chunks = self._container.logs()
            self._is_started = True
        os.write(self._pipe, f"{number}\n".encode())
        try:
            while True:
                ended, code = self._read_until_marker()
                if ended == number:
                    return code
        finally:
            with self._has_ended:
                self._ended = number
                self._has_ended.notify_all()

    def _read_until_marker(self) -> tuple[int, int]:
        """Pass on output up to the next marker; the step it ends, and with which code."""
        while True:
            before, marker, rest = self._held.partition(self._marker)
            line, newline, after = rest.partition(b"\n")
            if marker and newline:
                self._pass_on(before)
                if self._last not in (b"", b"\n"):
                    self._pass_on(b"\n")  # what the step wrote last had no end: the next one begins anew
                self._held = after
                words = line.split()
                if len(words) == 2 and all(word.isdigit() for word in words):
                    return int(words[0]), int(words[1])
                continue  # a step that knows the token and plays with it
            if not marker:
                self._pass_on_safe()
            chunk = next(self._chunks, None)
            if chunk is None:
                self._pass_on(self._held)
                self._held = b""
                raise SessionEnded
            self._held += chunk

    def _pass_on_safe(self) -> None:
        """Pass on all that cannot be the beginning of a marker."""
        keep = 0
        for length in range(min(len(self._marker) - 1, len(self._held)), 0, -1):
            if self._held.endswith(self._marker[:length]):
                keep = length
                break
        cut = len(self._held) - keep
        self._pass_on(self._held[:cut])
        self._held = self._held[cut:]

    def _pass_on(self, text: bytes) -> None:
        if text:
            self._last = text[-1:]
            self._write(text)

    def stop_step(self, number: int, *, grace_s: float) -> None:
        """End one step and leave the container to the next: SIGTERM, then SIGKILL after `grace_s` seconds.
        A step that has not begun does not. What withstands that ends with the container."""
        with contextlib.suppress(OSError):  # no space, or the job stands in the way: the signal still comes
            SharedFolder(self._folders.control).write(f"steps/{number}/stop", b"")
        for signal, patience_s in (("TERM", grace_s), ("KILL", _KILL_PATIENCE_S)):
            with contextlib.suppress(OSError):
                self._tell("stop", f"{number} {signal}\n")
            with self._has_ended:
                if self._has_ended.wait_for(lambda: self._ended >= number, patience_s):
                    return
        self._container.stop(grace_s=0)

    def _tell(self, pipe: str, line: str) -> None:
        descriptor = _open_pipe(self._folders.control / pipe)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def end(self) -> None:
        """End the container, with whatever the steps left running in it."""
        self._container.stop(grace_s=0)
        self._pass_on(self._held)
        self._held = b""
        for chunk in self._chunks:
            self._pass_on(chunk)
        self._container.wait()

    def close(self) -> None:
        """Let go of the pipe and the output; the container stays as it is."""
        os.close(self._pipe)
        if isinstance(self._chunks, Generator):
            self._chunks.close()


def _open_pipe(path: Path) -> int:
    """The job could have put something else in its place, before a restart of ours."""
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "the job has replaced the pipe by which it is told its steps", str(path))
    return descriptor
