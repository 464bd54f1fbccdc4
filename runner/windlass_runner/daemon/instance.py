"""One daemon for one storage: a lock that the system takes back when the process ends, however."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.storage_files import unwritable

LOCK_NAME: Final = "daemon.lock"


@contextmanager
def sole_instance(root: Path) -> Iterator[None]:
    """Hold the storage for this process.

    Raises:
        StorageUnwritable: the folder cannot be made or written.
        OperatorError: another daemon holds it.
    """
    path = root / LOCK_NAME
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # logs, outputs, what jobs left: nobody else's
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(root, error) from error
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
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise unwritable(root, error) from error
