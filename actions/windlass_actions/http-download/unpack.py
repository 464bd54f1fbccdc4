"""Unpacks an archive of strangers: plain files and folders only, within the target, up to a limit.

All of it comes to lie in the target, or nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

CHUNK = 1024 * 1024
MOST_ENTRIES = 1000000
DEEPEST = 64


class Entry(NamedTuple):
    """One entry of an archive. `content`: None for a folder."""

    name: str
    is_executable: bool
    content: IO[bytes] | None


class Unsafe(Exception):
    """What is wrong with the archive."""


def unpack(archive: Path, target: Path, *, limit_bytes: int) -> tuple[int, int]:
    """How many files and bytes came out. Raises Unsafe, OSError."""
    target.mkdir(parents=True, exist_ok=True)
    beside = target / f".{archive.name[:100].lstrip('.')}.unpacking"
    shutil.rmtree(str(beside), ignore_errors=True)
    beside.mkdir()
    try:
        counts = _write_all(_entries(archive), beside, limit_bytes)
        there = sorted(each.name for each in beside.iterdir() if os.path.lexists(str(target / each.name)))
        if there:
            raise Unsafe(f"'{there[0]}' of the archive is in the folder already; choose another 'path'")
        for each in sorted(beside.iterdir()):
            each.rename(target / each.name)
        return counts
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Unsafe(f"the archive is broken: {error}") from error
    finally:
        shutil.rmtree(str(beside), ignore_errors=True)


def _entries(archive: Path) -> Iterator[Entry]:
    if tarfile.is_tarfile(str(archive)):  # first: a tar with a zip at its end would read as a zip too
        return _of_tar(archive)
    if zipfile.is_zipfile(str(archive)):
        return _of_zip(archive)
    raise Unsafe("the file is neither a tar nor a zip archive; leave out 'extract'")


def _of_tar(archive: Path) -> Iterator[Entry]:
    with tarfile.open(str(archive), "r:*") as opened:
        for member in opened:
            opened.members = []  # else it remembers each, and a million fill the memory
            if not (member.isreg() or member.isdir()):
                kind = "a link" if member.issym() or member.islnk() else "neither a file nor a folder"
                raise Unsafe(f"'{member.name}' of the archive is {kind}, which is not unpacked")
            content = None if member.isdir() else opened.extractfile(member)
            yield Entry(member.name, bool(member.mode & 0o111), content)


def _of_zip(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(str(archive)) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise Unsafe(f"'{info.filename}' of the archive is {kind}, which is not unpacked")
            if info.flag_bits & 0x1:
                raise Unsafe(f"'{info.filename}' of the archive is encrypted, which cannot be unpacked")
            if info.is_dir():
                yield Entry(info.filename, False, None)
            else:
                with opened.open(info) as content:
                    yield Entry(info.filename, bool(mode & 0o111), content)


def _write_all(entries: Iterator[Entry], root: Path, limit_bytes: int) -> tuple[int, int]:
    files = size = 0
    for count, entry in enumerate(entries, start=1):
        if count > MOST_ENTRIES:
            raise Unsafe(f"the archive has more than {MOST_ENTRIES:,} entries")
        place = _place(root, entry.name)
        if entry.content is None:
            _make_folder(place, entry.name)
            continue
        _make_folder(place.parent, entry.name)
        files += 1
        size += _write(place, entry, limit_bytes - size, limit_bytes)
    return files, size


def _place(root: Path, name: str) -> Path:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    is_odd = name.startswith("/") or ".." in parts or "\\" in name or re.search(r"[\x00-\x1f\x7f]", name)
    if is_odd or len(parts) > DEEPEST:
        raise Unsafe(f"the archive has the name {name!r}, which is not unpacked")
    return root.joinpath(*parts)


def _make_folder(place: Path, name: str) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Unsafe(f"'{name}' of the archive is a file and a folder") from error


def _write(place: Path, entry: Entry, left_bytes: int, limit_bytes: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(str(place), flags, 0o755 if entry.is_executable else 0o644)
    except FileExistsError as error:
        raise Unsafe(f"'{entry.name}' is in the archive twice") from error
    size = 0
    with os.fdopen(descriptor, "wb") as stream:
        while True:
            chunk = entry.content.read(CHUNK) if entry.content else b""
            size += len(chunk)
            if size > left_bytes:
                raise Unsafe(
                    f"more than {limit_bytes:,} bytes come out of the archive;"
                    " where that is right, raise 'extract-limit'"
                )
            if not chunk:
                return size
            stream.write(chunk)
