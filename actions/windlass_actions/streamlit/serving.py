"""Serves an app until its time is over, it is stopped, or it ends by itself. The same file in each action
that is an app.

Python 3.8 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

GRACE_S = 3.0


class Failure(Exception):
    """What is wrong, for the author of the workflow."""


class Serving:
    """What the job has told: inputs as `APP_…`, and where the app is to serve."""

    def __init__(self, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._environ = environ
        self._say = say
        try:
            self.host = environ["WINDLASS_APP_HOST"]
            self.port = environ["WINDLASS_APP_PORT"]
            self.base = environ["WINDLASS_APP_BASE"]
        except KeyError as error:
            raise Failure(f"{error.args[0]} is not set: this is an action for Windlass") from error

    def read(self, name: str) -> str:
        """An input."""
        return self._environ.get(f"APP_{name}", "").strip()

    def placed(self, path: str) -> Path:
        """A path as the author wrote it, on this machine."""
        for name in ("workspace", "inputs", "outputs"):
            root = self._environ.get(f"WINDLASS_{name.upper()}")
            if root and (path == f"/{name}" or path.startswith(f"/{name}/")):
                return Path(root + path[len(name) + 1 :]).resolve()
        return Path(path).resolve()

    def need(self, module: str) -> None:
        """Raises Failure where Python lacks that module."""
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
        if subprocess.run([sys.executable, "-c", code], check=False).returncode != 0:
            raise Failure(
                f"the image has no {module}: name an image that has it, or write 'requirements: {module}'"
            )

    def run(self, command: list[str], save: Callable[[], None] = lambda: None) -> int:
        """Run the app; `save` what is to be kept when it ends. The exit code: 0 where its time was over,
        or it was stopped."""
        limit_s = self._limit_s()
        stopping = threading.Event()

        def stop(_number: int, _: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        self._say(f"the app ends by itself after {limit_s / 60:g} minutes")
        self._tell_end(time.time() + limit_s)
        child = subprocess.Popen(command, start_new_session=True)
        threading.Thread(target=lambda: (child.wait(), stopping.set()), daemon=True).start()
        is_asked = stopping.wait(limit_s)
        if child.poll() is not None:
            save()
            return child.returncode if child.returncode >= 0 else 128 - child.returncode
        if not is_asked:
            self._say(f"::notice::the app's time is over: {limit_s / 60:g} minutes")
        end(child)
        save()
        return 0

    def _tell_end(self, moment: float) -> None:
        """For the page of the run, which says how much time is left."""
        file = self._environ.get("WINDLASS_APP_ENDS")
        if file:
            Path(file).write_text(f"{moment:.0f}")

    def _limit_s(self) -> float:
        text = self.read("TIMEOUT_MINUTES") or "60"
        try:
            minutes = float(text)
        except ValueError:
            minutes = 0.0
        if not 0 < minutes < 1e6:
            raise Failure(f"'timeout-minutes' must be a number above 0, not '{text}'")
        return 60 * minutes


def end(child: subprocess.Popen[bytes]) -> None:
    """End the app with all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(GRACE_S)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def complain(failure: Failure) -> str:
    """The failure as an annotation."""
    text = str(failure).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::error::{text}"
