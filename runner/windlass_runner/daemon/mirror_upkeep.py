"""Keeps mirrors small, and removes those of repositories that nobody watches any more.

Called by `daemon.retention`. The owner of the settings took the repository out of them: what a run of it
would need is fetched again.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from windlass_runner.data.trees import remove_tree
from windlass_runner.forges.git import Git
from windlass_runner.run.removal import remove_files

UNWATCHED_KEPT_S: Final = 14 * 86_400.0
_MANY_PACKS: Final = 15
_MANY_LOOSE: Final = 2
"""Below the limits that `Git.repack` gives git."""


def _may_need_repacking(mirror: Path) -> bool:
    """What git looks at first in `gc --auto` (a few packs, one of 256 folders of loose objects), seen without
    starting it: with a hundred mirrors that would be most of what an idle daemon does. Git decides."""
    packs = list((mirror / "objects" / "pack").glob("*.pack"))
    sample = mirror / "objects" / "17"
    return len(packs) >= _MANY_PACKS or (sample.is_dir() and len(list(sample.iterdir())) >= _MANY_LOOSE)


class MirrorUpkeep:
    """`storage`: the folder in which `run.workspace.Mirror` keeps them."""

    def __init__(self, git: Git, storage: Path) -> None:
        self._git = git
        self._mirrors = storage / "mirrors"
        self._trees = storage / "trees"

    def repacking(self) -> Iterator[None]:
        """Make few files of many, one mirror at a time. Raises OperatorError: one is damaged."""
        for mirror in sorted(self._mirrors.glob("*.git")):
            if _may_need_repacking(mirror):
                self._git.repack(mirror)
            yield

    def removing(self, kept: frozenset[str], *, now: float) -> Iterator[str]:
        """Remove, and name, mirrors that are not among those keys and were not used for some time."""
        for half in self._mirrors.glob(".*.leaving"):
            remove_tree(half)
        for mirror in sorted(self._mirrors.glob("*.git")):
            key = mirror.name.removesuffix(".git")
            if key not in kept and now - self._used_at(mirror) > UNWATCHED_KEPT_S and self._remove(mirror):
                yield key

    def _used_at(self, mirror: Path) -> float:
        """Whoever changes a mirror or makes a tree of it touches its lock; who takes a tree touches that."""
        trees = self._trees / mirror.name.removesuffix(".git")
        places = [mirror.with_suffix(".lock"), mirror, *(trees.iterdir() if trees.is_dir() else ())]
        times = []
        for place in places:
            with contextlib.suppress(FileNotFoundError):
                times.append(place.stat().st_mtime)
        return max(times, default=0.0)

    def _remove(self, mirror: Path) -> bool:
        """False: somebody is at work in it. The lock's file stays: who waits for it has it open."""
        with mirror.with_suffix(".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            remove_tree(self._trees / mirror.name.removesuffix(".git"))
            remove_files(mirror)
        return True
