"""A daemon in a process of its own, as a person starts it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

from benchmarks.measuring import BenchmarkFailed
from benchmarks.repositories import ENVIRONMENT, WINDLASS


class Serving:
    """`windlass serve` in a folder with its settings; stopped at the end of the `with`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [WINDLASS, "serve"],
                cwd=folder,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            raise BenchmarkFailed(f"the daemon did not start: {self.log()[-2000:]}")
        self.address = line.removeprefix("listening on ").strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text()

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
