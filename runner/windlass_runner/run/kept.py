"""What jobs keep for later runs of the same repository: whole folders by name, never changed again.

A job sees them read-only. What it wants to add it lays, under a name of its own choosing, into a folder of
its attempt; when nothing of it runs any more, what is complete there is taken over by one rename. So no job
can change what another one uses, two that make the same do not meet, and after a crash there is nothing
half. An empty file of a name says that the job uses the folder of that name: such are not removed
meanwhile, and those that nobody has used for the longest time go first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from windlass_runner.data.trees import copy_tree, make_read_only, remove_tree, walk

DEFAULT_LIMIT_BYTES: Final = 20_000_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_DAY_S: Final = 86400.0
_MOST_AT_ONCE: Final = 20
"""So many folders are taken from one attempt."""


class Kept:
    """The folders kept for one repository. Safe to use from several threads of one process."""

    _lock: Final = threading.Lock()

    def __init__(self, root: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.root = root
        self._limit_bytes = limit_bytes

    def take_over(
        self, added: Path, *, may_add: bool, in_use: Callable[[], frozenset[str]], at: float
    ) -> tuple[str, ...]:
        """Take what an attempt has laid into `added`, note what it used, and remove what is too much.
        May be repeated after a crash. `may_add`: strangers' jobs only use. `in_use`: names that attempts
        still use. Gives the names that were refused, with the reasons.

        Raises:
            OSError: the host cannot do it; what was there before is as it was.
        """
        taken, refused = False, []
        for name, is_folder in _plain_names(added):
            place = self.root / name
            if is_folder and may_add and not os.path.lexists(place):
                reason = self._refusal(added / name)
                if reason:
                    refused.append(f"'{name}' {reason}")
                else:
                    taken = self._take(added / name, place) or taken
            with contextlib.suppress(FileNotFoundError):
                os.utime(place, (at, at), follow_symlinks=False)
        if taken:
            with self._lock, contextlib.suppress(FileNotFoundError):  # another process of ours does the same
                self._trim(in_use, at)
        return tuple(refused)

    def _refusal(self, folder: Path) -> str:
        """Why it is not taken; empty where it is. Links lead where they lead in a container."""
        kinds, size = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK), 0
        for name, entry in walk(folder):
            status = entry.stat(follow_symlinks=False)
            if stat.S_IFMT(status.st_mode) not in kinds:
                return f"has something that is neither a file nor a folder ('{name}')"
            size += status.st_blocks * 512
        return f"has more than {self._limit_bytes:,} bytes" if size > self._limit_bytes else ""

    def _take(self, source: Path, place: Path) -> bool:
        make_read_only(source)
        source.chmod(0o755)  # a folder that is moved has to be writable itself
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(place)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False  # another job was first
            if error.errno != errno.EXDEV:
                raise
            beside = self.root / f".{place.name}.new"
            remove_tree(beside)
            copy_tree(source, beside)
            beside.rename(place)
        return True

    def _trim(self, in_use: Callable[[], frozenset[str]], at: float) -> None:
        """Remove those used least recently until the rest fits."""
        for place in self.root.glob(".*"):  # what a crash of ours has left
            if place.lstat().st_mtime < at - _DAY_S:
                remove_tree(place)
        found = sorted(
            (place for place in self.root.iterdir() if _NAME.match(place.name)),
            key=lambda place: place.lstat().st_mtime,
        )
        sizes = {place: _size_bytes(place) for place in found}
        excess = sum(sizes.values()) - self._limit_bytes
        for place in found[:-1]:
            if excess <= 0:
                return
            aside = self.root / f".{place.name}.old"
            if place.name in in_use():
                continue
            place.rename(aside)
            if place.name in in_use():  # a job has taken it up just now
                aside.rename(place)
                continue
            remove_tree(aside)
            excess -= sizes[place]


def names_in_use(folders: Iterable[Path]) -> frozenset[str]:
    """What the attempts with these folders say that they use."""
    return frozenset(name for folder in folders for name, _ in _plain_names(folder))


def is_folder_itself(path: Path) -> bool:
    """Whether a folder stands there, and not a link that a job has put in its place."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _plain_names(folder: Path) -> list[tuple[str, bool]]:
    """The files (False) and folders (True) in a folder that a job could write to, which have proper names.
    None where a job has put a link in the folder's own place: it would lead to folders of the host."""
    if not is_folder_itself(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            found = [
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if _NAME.match(entry.name) and not entry.is_symlink()
            ]
    except OSError:
        return []
    return sorted(found)[:_MOST_AT_ONCE]


def _size_bytes(folder: Path) -> int:
    return sum(entry.stat(follow_symlinks=False).st_blocks * 512 for _, entry in walk(folder))
