"""Files that jobs leave behind go back to whom their folder belongs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def give_back(folder: Path) -> None:
    """As root: everything under `folder` to the folder's own owner and group, following no links."""
    owner = folder.lstat()
    for path, status in _walk(folder):
        if (status.st_uid, status.st_gid) != (owner.st_uid, owner.st_gid):
            os.lchown(path, owner.st_uid, owner.st_gid)


def is_all_mine(folder: Path) -> bool:
    """Whether every file under `folder` belongs to the user that we run as, and can be looked at."""
    user = os.getuid()
    try:
        return all(status.st_uid == user for _, status in _walk(folder))
    except PermissionError:
        return False


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
