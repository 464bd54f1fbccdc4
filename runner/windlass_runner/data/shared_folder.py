"""Writing into folders that a job can write to as well, from outside its container.

A job may put a link, a pipe or a folder at any name there. We run with more rights than it and see
the host's files, so no link of a job's is ever followed, at no part of a path: otherwise a job could
have us write to, or open up, any file of the host.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SharedFolder:
    """A folder that a job's container has mounted. It is itself out of the job's reach; all that
    lies in it is not. Names are relative to it, `/` between their parts.

    Every call raises OSError where something of the job's stands in the way (a link: ELOOP or
    ENOTDIR), and where the host cannot do it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def make_folder(self, name: str, files: Sequence[str] = ()) -> None:
        """A folder, and files in it, that everybody may write to. What is there is opened up, and keeps
        what it says. Without a name: this folder."""
        with self._opened(name) as descriptor:
            _open_up(descriptor, 0o777, os.fstat(descriptor))
            for file in files:
                _touch(file, descriptor)

    def write(self, name: str, content: bytes, *, mode: int = 0o644) -> None:
        """A new file in place of whatever was there. It appears whole or not at all."""
        folder, _, last = name.rpartition("/")
        beside = f".{last}.new"
        with self._opened(folder) as parent:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=parent)
            descriptor = os.open(beside, _FILE | os.O_EXCL, mode, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(descriptor, mode)
            os.rename(beside, last, src_dir_fd=parent, dst_dir_fd=parent)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """The folder of that name, made where it is missing."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in filter(None, name.split("/")):
                inner = _enter(part, descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


def _enter(name: str, folder: int) -> int:
    """Open a folder in that one, made where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(name, _FOLDER, dir_fd=folder)
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o777, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _touch(name: str, folder: int) -> None:
    try:
        descriptor = os.open(name, _FILE | os.O_EXCL, 0o666, dir_fd=folder)
    except FileExistsError:
        _open_up_file(name, folder)
        return
    try:
        os.fchmod(descriptor, 0o666)  # whatever our umask
    finally:
        os.close(descriptor)


def _open_up_file(name: str, folder: int) -> None:
    descriptor = os.open(name, _FILE, 0o666, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EEXIST, "the job has put something there that is no file", name)
        _open_up(descriptor, 0o666, status)
    finally:
        os.close(descriptor)


def _open_up(descriptor: int, mode: int, status: os.stat_result) -> None:
    if stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(descriptor, mode)
