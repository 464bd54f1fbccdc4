"""Folders of files as one thing: copied, linked, removed, read without following a link.

The folders may have been written by jobs, so nothing in them is trusted: links are copied as links
and never followed, sockets, pipes and devices are left out, read-only folders are still removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FICLONE: Final = 0x40049409
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LEVELS: Final = 64
_SMALL: Final = 64
"""Trees of up to so many entries are copied here; starting `cp` costs more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRead:
    """What reading a file of a job's gave: its bytes, or why there are none."""

    content: bytes = b""
    problem: str | None = None
    is_missing: bool = False


def open_plain(path: Path) -> tuple[int, int] | None:
    """A file that a job could have replaced by anything: its descriptor, to be closed, and its size in
    bytes. None where it is no plain file.

    Raises:
        OSError: it is not there, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            return None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status.st_size


def read_plain(path: Path, *, limit_bytes: int) -> PlainRead:
    """Read a small file of a job's; what stands in the way is a value."""
    try:
        if _is_empty(path):
            return PlainRead()
        found = open_plain(path)
    except FileNotFoundError:
        return PlainRead(is_missing=True)
    except OSError as error:
        return PlainRead(problem=f"it cannot be read ({error.strerror})")
    if found is None:
        return PlainRead(problem="it is not a plain file")
    descriptor, size = found
    try:
        if size > limit_bytes:
            return PlainRead(problem=f"it has more than {limit_bytes:,} bytes")
        return PlainRead(content=os.read(descriptor, size) if size else b"")
    finally:
        os.close(descriptor)


def _is_empty(path: Path) -> bool:
    """Whether it is a plain file that nobody has written to: as most are, so they are not even opened."""
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's contents into `target`, a new folder: private (no shared inodes), same times
    and modes, links as links. Shares blocks where the file system can."""
    target.mkdir(parents=True)
    if _is_small(source):
        _copy_entries(str(source), str(target))
        return
    call = ["cp", "-a", "--reflink=auto", "--", f"{source}/.", str(target)]
    done = subprocess.run(call, capture_output=True, check=False)
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace")
        number = errno.ENOSPC if "No space left" in text else errno.EIO
        raise OSError(number, text.strip().splitlines()[-1] if text.strip() else "cp failed", str(target))


def copy_file(source: str, target: str) -> None:
    """Copy one plain file with its mode and times. The blocks are shared where that can be."""
    with Path(source).open("rb") as old, Path(target).open("xb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError:
            shutil.copyfileobj(old, new, 1 << 20)
    shutil.copystat(source, target)


def link_tree(source: Path, target: Path) -> None:
    """A second name for every file of a folder (or for one file): nothing is copied.

    For folders that nobody writes to any more. Copies where links cannot be made.
    """
    if not source.is_dir() or source.is_symlink():
        _link_entry(str(source), str(target), stat.S_IFMT(source.lstat().st_mode))
        return
    target.mkdir(parents=True)
    for path, entry in walk(source):
        _link_entry(entry.path, str(target / path), stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode))


def walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below a folder with its path in it, sorted; a folder before what it holds."""
    stack = [(str(folder), "")]
    while stack:
        place, prefix = stack.pop()
        with os.scandir(place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            yield prefix + entry.name, entry
        folders = [entry for entry in found if entry.is_dir(follow_symlinks=False)]
        stack.extend((entry.path, f"{prefix}{entry.name}/") for entry in reversed(folders))


def make_read_only(path: Path) -> None:
    """Take every right to write from a file, or from all of a folder but the folder itself; setuid and
    setgid too. For files that no job can reach any more."""
    if path.is_symlink():
        return
    if path.is_dir():
        for _, entry in walk(path):
            if not entry.is_symlink():
                _take_write(entry.path, entry.stat(follow_symlinks=False).st_mode)
    else:
        _take_write(str(path), path.lstat().st_mode)


def remove_tree(path: Path) -> None:
    """Remove a file or folder, read-only ones too. Does nothing where there is none."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    try:
        remove_folder(path)
        return
    except FileNotFoundError:
        return
    except PermissionError:
        _let_write(path)
    with contextlib.suppress(FileNotFoundError):
        remove_folder(path)


def remove_folder(path: Path) -> None:
    """Remove a folder, however deep a job has made it: no more than so many levels are held open at once,
    what lies deeper is moved up first. No link is followed.

    Raises:
        OSError: it is not there (FileNotFoundError), or something in it may not be removed.
    """
    if _is_removed(str(path), None):
        return
    top = os.open(path, _FOLDER)
    try:
        while _empty(top, top, depth=0):
            pass
    finally:
        os.close(top)
    path.rmdir()


def _empty(folder: int, top: int, *, depth: int) -> bool:
    """Remove what a folder holds. Whether anything was moved up to `top`, to be removed from there."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    has_moved = False
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
        elif depth == _LEVELS:
            os.rename(name, f".{uuid.uuid4().hex}", src_dir_fd=folder, dst_dir_fd=top)
            has_moved = True
        elif not _is_removed(name, folder):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                has_moved |= _empty(inner, top, depth=depth + 1)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=folder)
    return has_moved


def _is_removed(name: str, parent: int | None) -> bool:
    """Whether a folder was empty, and has gone. Most of a job's are."""
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _let_write(folder: Path) -> None:
    stack = [folder]
    while stack:
        place = stack.pop()
        with contextlib.suppress(FileNotFoundError, PermissionError):
            place.chmod(0o700)
            with os.scandir(place) as entries:
                stack.extend(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def _is_small(folder: Path) -> bool:
    return all(count < _SMALL for count, _ in enumerate(walk(folder)))


def _copy_entries(source: str, target: str) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            copy_entry(entry.path, f"{target}/{entry.name}")
    shutil.copystat(source, target)


def copy_entry(source: str, target: str) -> None:
    """Copy a file, a link (as a link) or a folder. What is none of these is left out."""
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        Path(target).symlink_to(Path(source).readlink())
    elif stat.S_ISDIR(mode):
        Path(target).mkdir()
        _copy_entries(source, target)
    elif stat.S_ISREG(mode):
        copy_file(source, target)


def _link_entry(source: str, target: str, sort: int) -> None:
    if sort == stat.S_IFDIR:
        Path(target).mkdir()
    elif sort in (stat.S_IFREG, stat.S_IFLNK):
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
                raise
            copy_entry(source, target)


def _take_write(path: str, mode: int) -> None:
    """Nor may it keep the rights of whoever made it (setuid, setgid): in a container that was root."""
    Path(path).chmod(stat.S_IMODE(mode) & 0o1555)
