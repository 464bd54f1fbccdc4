"""What the demo shows, and the commands that it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

WINDLASS = Path(sys.executable).with_name("windlass")
TERMINAL = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class DemoFailed(Exception):
    """The demo cannot go on, and why."""


def title(text: str) -> None:
    print(f"\n\x1b[1m── {text}\x1b[0m" if TERMINAL else f"\n-- {text}", flush=True)


def note(text: str) -> None:
    print(text, flush=True)


def code(text: str) -> str:
    return f"\x1b[36m{text}\x1b[0m" if TERMINAL else text


def echo(*words: str) -> None:
    print(code(f"$ {shlex.join(words)}"), flush=True)


def shown(place: Path, *words: str) -> int:
    """Run a command as somebody would type it; its exit code."""
    echo(*words)
    program = [str(WINDLASS) if words[0] == "windlass" else words[0], *words[1:]]
    return subprocess.run(program, cwd=place, check=False).returncode


def command(place: Path, *words: str) -> None:
    """The same, of a command that has to succeed."""
    if shown(place, *words):
        raise DemoFailed(f"'{shlex.join(words)}' failed")


def quiet(
    *words: str | Path, cwd: Path | None = None, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, and show nothing of it."""
    return subprocess.run(
        list(map(str, words)), cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s
    )


def quietly(*words: str) -> None:
    """The same, of a command that has to succeed."""
    done = quiet(*words)
    if done.returncode:
        raise DemoFailed(f"'{shlex.join(words)}' failed: {done.stderr.strip()}")
