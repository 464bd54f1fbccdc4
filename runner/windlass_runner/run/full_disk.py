"""Whether the host's disk is full. Asked only when something has failed: it is then the likely cause, which
programs tell badly or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from windlass_runner.engines.base import HostFull

_TOO_LITTLE_BYTES: Final = 1 << 20
"""Less than this is as good as nothing: who failed to write has often left a little."""


def find_full_disk(*folders: Path) -> HostFull | None:
    """The first of the folders' file systems without space (or inodes); None: all have some, or are gone."""
    for folder in folders:
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < _TOO_LITTLE_BYTES:
            return _full(folder, f"{free_bytes / 1e6:.1f} MB are left")
        if found.f_files and not found.f_favail:
            return _full(folder, "no inode is left")
    return None


def _full(folder: Path, left: str) -> HostFull:
    return HostFull(f"the disk is full: {left} where {folder} lies", remedy="free some, and run it again")
