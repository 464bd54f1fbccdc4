"""Whether the refs of a repository on this machine may have changed, by its folders alone (0.01 ms).

Git writes a loose ref by renaming a lock file beside it, so that the folder's time changes with it;
packed refs and reftables are one file each. The times tell of every change that comes later than one
tick of the file system's clock after the last: `is_settled` says whether that can be relied on.
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
    """The folders and files that hold branches and tags, with their times (0: not there)."""

    paths: tuple[str, ...]
    times_ns: tuple[int, ...]

    def still_holds(self) -> bool:
        """Whether nothing has changed since."""
        return tuple(map(_time_ns, self.paths)) == self.times_ns

    def is_settled(self, at: float) -> bool:
        """Whether what changes after the moment `at` must show: nothing here is from just before it."""
        return all(abs(at - time_ns / 1e9) > _SETTLED_S for time_ns in self.times_ns)


def take_stamp(git_directory: Path) -> FolderStamp:
    """The stamp as it is now. Take it before the refs are read."""
    paths = [str((git_directory / name).resolve()) for name in ("refs", *_FILES)]
    times = [_time_ns(path) for path in paths]
    for name in _FOLDERS:
        _walk(str((git_directory / name).resolve()), paths, times)
    return FolderStamp(paths=tuple(paths), times_ns=tuple(times))


def _walk(folder: str, paths: list[str], times: list[int]) -> None:
    paths.append(folder)
    times.append(_time_ns(folder))  # before it is listed: what is added meanwhile shows as a change
    try:
        with os.scandir(folder) as entries:
            below = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for path in below:
        _walk(path, paths, times)


def _time_ns(path: str) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0
