"""Several steps in one container, one after the other, so that what one installs the next one finds.

The container's main process is a small shell script that waits for step numbers on a named pipe,
runs each step's script, and says on its output where a step begins and ends. Everything it writes
is in the engine's log: whoever comes back after a crash reads it again from the start, asks for the
same steps again, and gets each step's end without running it twice (a number is run once).
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.data.trees import read_plain
from windlass_runner.engines.base import Container
from windlass_runner.run.scratch import CONTROL, AttemptFolders

_DRIVER: Final = """\
exec 3<>{control}/next
last=0
while read -r n <&3; do
  [ "$n" -gt "$last" ] || continue
  last=$n
  sh {control}/steps/$n/run </dev/null 3<&-
  code=$?
  printf '\\036{token} %s %s\\n' "$n" "$code"
done
"""
# `env` is gone at once: were `timeout` before it, its arguments would show secrets to all users of the host.
_RUN: Final = "cd {folder} || exit 1\n{setup}exec env {variables} {timeout}{command}\n"


_TOKEN_LIMIT: Final = 100


class SessionEnded(Exception):
    """The container ended while a step was running; its exit tells why."""


def driver_command() -> tuple[str, ...]:
    """What a session's container executes."""
    return ("sh", f"{CONTROL}/driver")


def write_driver(folders: AttemptFolders) -> None:
    """Put the driver and its pipe in place; leaves those of an earlier life as they are."""
    driver = folders.control / "driver"
    if os.path.lexists(driver):
        return
    pipe = folders.control / "next"
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
    """A running session container, seen from the host. Used by one thread."""

    def __init__(
        self,
        container: Container,
        folders: AttemptFolders,
        write: Callable[[bytes], None],
        on_start: Callable[[Container], None],
    ) -> None:
        self._on_start = on_start
        self._container = container
        self._write = write
        token = read_plain(folders.control / "token", limit_bytes=_TOKEN_LIMIT)
        self._marker = b"\x1e" + token.content + b" "
        self._pipe = _open_pipe(folders.control / "next")
        self._chunks: Iterator[bytes] = iter(())
        self._held = b""
        self._last = b""
        self._is_started = False

    def run(self, number: int) -> int:
        """Run a step (or, after a crash, wait for the end of the one that ran), and give its exit code.

        Raises:
            SessionEnded: the container ended first.
        """
        if not self._is_started:
            self._container.start()
            self._on_start(self._container)
            self._chunks = self._container.logs()
            self._is_started = True
        os.write(self._pipe, f"{number}\n".encode())
        while True:
            ended, code = self._read_until_marker()
            if ended == number:
                return code

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

    def end(self) -> None:
        """End the container, with whatever the steps left running in it."""
        self._container.stop(grace_s=0)
        self._pass_on(self._held)
        self._held = b""
        for chunk in self._chunks:
            self._pass_on(chunk)
        self._container.wait()

    def close(self) -> None:
        """Let go of the pipe; the container stays as it is."""
        os.close(self._pipe)


def _open_pipe(path: Path) -> int:
    """The job could have put something else in its place, before a restart of ours."""
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "the job has replaced the pipe by which it is told its steps", str(path))
    return descriptor
