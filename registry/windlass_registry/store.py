"""Packages on disk by digest: `root/sha256/ab/cdef…/`, whole or not there, read-only.

Several processes may add to one store at once, and may be killed at any line: a package is written
beside its place and then renamed, so that what has its name is complete. What a killed process
left half written is removed by the next that adds while no other does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from windlass_registry.archive import (
    Entry,
    checked_entries,
    digest_entries,
    digest_folder,
    read_archive,
    read_folder,
    write_entries,
)
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.versions import Digest, VersionError

_UNFINISHED: Final = ".new-"


class Store:
    """Packages by digest under `root`. Safe to use from several threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add_folder(self, path: Path) -> str:
        """Copy a folder into the store, if it is not there yet; gives its digest.

        Raises:
            AuthorError: the folder holds what a package may not.
            OperatorError: the disk is full or may not be written.
        """
        entries = read_folder(path)
        digest = digest_entries(entries)
        self._put(digest, entries)
        return digest

    def add_entries(self, entries: Iterable[Entry], *, shown_as: str) -> str:
        """Put files that were read elsewhere into the store; gives their digest. Raises as `add_folder` does,
        naming `shown_as`."""
        found = checked_entries(entries, shown_as=shown_as)
        digest = digest_entries(found)
        self._put(digest, found)
        return digest

    def add_archive(self, archive: bytes) -> str:
        """Unpack an archive into the store; gives its digest. Raises as `add_folder` does."""
        entries = read_archive(archive)
        digest = digest_entries(entries)
        self._put(digest, entries)
        return digest

    def has(self, digest: str) -> bool:
        """Whether the package is here."""
        return self._place(digest).is_dir()

    def path(self, digest: str) -> Path:
        """The folder of a package; nobody may write to it.

        Raises:
            OperatorError: the store does not hold it.
        """
        place = self._place(digest)
        if not place.is_dir():
            raise OperatorError(
                f"the package {digest} is not in the store {self.root}",
                remedy="run the command again to fetch it",
            )
        return place

    def verify(self, digest: str) -> None:
        """Read a package again and compare.

        Raises:
            OperatorError: it is not here, or not what it was.
        """
        place = self.path(digest)
        try:
            found = digest_folder(place)
        except AuthorError as error:
            raise self._damaged(place, digest) from error
        if found != digest:
            raise self._damaged(place, digest)

    def _damaged(self, place: Path, digest: str) -> OperatorError:
        return OperatorError(
            f"the package {digest} was changed on disk", remedy=f"delete {place}; it is fetched again"
        )

    def _place(self, digest: str) -> Path:
        try:
            hexadecimal = Digest.parse(digest).text.removeprefix("sha256:")
        except VersionError as error:
            raise OperatorError(str(error)) from error
        return self.root / "sha256" / hexadecimal[:2] / hexadecimal[2:]

    def _put(self, digest: str, entries: Sequence[Entry]) -> None:
        place = self._place(digest)
        if place.is_dir():
            return
        with self._errors():
            place.parent.mkdir(parents=True, exist_ok=True)
            with self._writing():
                fresh = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place.parent))
                try:
                    write_entries(entries, fresh)
                    _make_read_only(fresh)
                    self._settle(fresh, place)
                except OSError:
                    if fresh.is_dir():
                        _remove(fresh)  # on a full disk nobody else could write either
                    raise

    def _settle(self, fresh: Path, place: Path) -> None:
        try:
            fresh.rename(place)
        except OSError:
            if not place.is_dir():
                raise
            _remove(fresh)  # somebody else was first, with the same bytes
            return
        _flush_folder(place.parent)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the store's lock, shared: as long as one writer lives, nobody sweeps."""
        with (self.root / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._sweep()
            except BlockingIOError:
                pass
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def _sweep(self) -> None:
        for left in self.root.glob(f"sha256/*/{_UNFINISHED}*"):
            _remove(left)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "make room on the disk, or let this user write there"
            raise OperatorError(f"cannot write to the store {self.root}: {error}", remedy=remedy) from error


def _make_read_only(folder: Path) -> None:
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            file = Path(place) / name
            if not file.is_symlink():
                file.chmod(file.stat().st_mode & 0o555)
        Path(place).chmod(0o555)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    for place, folders, _ in os.walk(folder):
        Path(place).chmod(0o755)
        for name in folders:
            inner = Path(place) / name
            if not inner.is_symlink():
                inner.chmod(0o755)
    shutil.rmtree(folder)
