"""Files of a registry's folder: written whole or not at all, and flushed before anything names them."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_UNFINISHED: Final = ".new-"


def write_whole(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
    """Put a file in its place, in one step: after a crash there is the old one, or all of the new one.

    `scratch`: a folder of the same disk for what is not finished; without it, that lies beside the place.
    """
    made = _make_folders(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=scratch or path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for folder in (path.parent, *made):
        _flush(folder)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written. Only for who holds the lock."""
    for left in folder.rglob(f"{_UNFINISHED}*"):
        left.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time, among threads and processes. The lock ends with its process."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; gives the folders whose lists have changed."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [each.parent for each in missing]


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
