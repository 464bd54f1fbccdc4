"""One daemon for one storage: a lock that the system takes back when the process ends, however."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError

LOCK_NAME: Final = "daemon.lock"


@contextmanager
def sole_instance(root: Path) -> Iterator[None]:
    """Hold the storage for this process.

    Raises:
        OperatorError: another daemon holds it, or the folder cannot be written.
    """
    path = root / LOCK_NAME
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # logs, outputs, what jobs left: nobody else's
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OperatorError(
            f"the storage {root} cannot be written: {error.strerror}",
            remedy="set [storage] path to a folder of this user",
        ) from error
    try:
        _lock(descriptor, root)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        whose = f" (process {holder})" if holder else ""
        raise OperatorError(
            f"another daemon{whose} works on the storage {root}",
            remedy="stop it first, or give this one another [storage] path",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
