"""Whether the refs of a repository on this machine may have changed, by its folders alone (5 µs).

Git writes a loose ref by renaming a lock file beside it, so that the folder's time changes with it;
packed refs and reftables are one file each. What is not there shows by the time of the folder that it would
come into. The times tell of every change that comes later than one tick of the file system's clock after the
last: `is_settled` says whether that can be relied on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FILES: Final = ("packed-refs", "reftable/tables.list")
_FOLDERS: Final = ("refs/heads", "refs/tags")
_SETTLED_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStamp:
    """The folders and files that hold branches and tags, or that these would come into, with their times."""

    times_ns: dict[str, int]

    def still_holds(self) -> bool:
        """Whether nothing has changed since."""
        try:
            for path, time_ns in self.times_ns.items():
                if os.lstat(path).st_mtime_ns != time_ns:
                    return False
        except OSError:
            return False
        return True

    def is_settled(self, at: float) -> bool:
        """Whether what changes after the moment `at` must show: nothing here is from just before it."""
        return all(abs(at - time_ns / 1e9) > _SETTLED_S for time_ns in self.times_ns.values())


def take_stamp(git_directory: Path) -> FolderStamp:
    """The stamp as it is now. Take it before the refs are read."""
    times: dict[str, int] = {}
    for name in _FILES:
        _note((git_directory / name).resolve(), times)
    for name in _FOLDERS:
        _walk((git_directory / name).resolve(), times)
    return FolderStamp(times_ns=times)


def _note(path: Path, times: dict[str, int]) -> None:
    """The time of a path, or of the folder above that is there."""
    try:
        times.setdefault(str(path), path.lstat().st_mtime_ns)
    except OSError:
        if path.parent != path:
            _note(path.parent, times)


def _walk(folder: Path, times: dict[str, int]) -> None:
    _note(folder, times)  # before it is listed: what is added meanwhile shows as a change
    try:
        with os.scandir(folder) as entries:
            below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in below:
        _walk(path, times)
