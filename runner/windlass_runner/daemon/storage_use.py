"""How much of the disk the parts of the storage take. For `daemon.retention` and `windlass doctor`."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_runner.run.storage import Storage

_BLOCK_BYTES: Final = 512
"""The unit of `st_blocks` on every system (stat(2))."""
_PARTS: Final = {"runs": "runs", "mirrors": "mirrors", "trees": "mirrors", "packages": "packages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """What lies there, in bytes of the disk. `other`: scratch, versions of data, the engine's state."""

    ledger: int = 0
    runs: int = 0
    mirrors: int = 0
    packages: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.ledger + self.runs + self.mirrors + self.packages + self.other


def measure(storage: Storage) -> StorageUse:
    """Look at every file: seconds where there are very many."""
    pieces = measuring(storage)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            found: StorageUse = end.value
            return found


def measuring(storage: Storage) -> Generator[None, None, StorageUse]:
    """The same bit by bit."""
    sizes: Counter[str] = Counter()
    for name in _names(storage.root):
        part = "ledger" if name.startswith(storage.ledger.name) else _PARTS.get(name, "other")
        for size_bytes in _sizes(str(storage.root / name)):
            sizes[part] += size_bytes
            yield
    return StorageUse(**sizes)


def folder_bytes(place: Path) -> int:
    """What a file or folder takes of the disk; 0 where there is none."""
    return sum(_sizes(str(place)))


def _sizes(place: str) -> Iterator[int]:
    """What a file takes, or, one by one, each folder with the files in it."""
    try:
        taken = os.lstat(place).st_blocks * _BLOCK_BYTES
        entries = list(os.scandir(place))
    except NotADirectoryError:
        yield taken
        return
    except OSError:  # gone meanwhile, or not ours to read
        return
    folders = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.path)
        else:
            with contextlib.suppress(OSError):
                taken += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
    yield taken
    for folder in folders:
        yield from _sizes(folder)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []
