"""What stands for the programs of containers: Python functions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from windlass_runner.engines.base import ContainerExit, ContainerSpec, Mount

_OUT_OF_MEMORY: Final = 137
_TERMINATED: Final = 143


class FakeProcess:
    """What a program sees of its container, while it runs in a thread of its own."""

    def __init__(
        self, spec: ContainerSpec, *, is_stopping: threading.Event, write: Callable[[bytes], None]
    ) -> None:
        self.spec = spec
        self.is_stopping = is_stopping
        """Set when SIGTERM has come. A program that ignores it is cut off after the grace period."""
        self._write = write

    def write(self, output: bytes) -> None:
        """Write to the container's log."""
        self._write(output)

    def path(self, target: str) -> Path:
        """Where a path inside the container lies on the host. Raises `KeyError` outside of mounts."""
        mount = self._mount_of(target)
        return mount.source / target[len(mount.target) :].lstrip("/")

    def is_read_only(self, target: str) -> bool:
        return self._mount_of(target).is_read_only

    def _mount_of(self, target: str) -> Mount:
        inside = [m for m in self.spec.mounts if target == m.target or target.startswith(m.target + "/")]
        if not inside:
            raise KeyError(target)
        return max(inside, key=lambda mount: len(mount.target))


Program = Callable[[FakeProcess], int | ContainerExit]
"""Does what the container does and gives its exit code."""


def says(
    output: bytes = b"", *, code: int = 0, is_oom: bool = False, after: threading.Event | None = None
) -> Program:
    """A program that writes `output` and ends with `code`; between them it waits for `after`, or for
    SIGTERM (then it ends with 143)."""

    def program(process: FakeProcess) -> int | ContainerExit:
        process.write(output)
        while after is not None and not after.wait(0.005):
            if process.is_stopping.is_set():
                return _TERMINATED
        return ContainerExit(code=_OUT_OF_MEMORY, oom_killed=True) if is_oom else code

    return program
