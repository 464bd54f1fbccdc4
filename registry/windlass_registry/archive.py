"""The canonical archive of a package: the same folder gives the same bytes, and so the same digest.

The archive is an uncompressed pax tar of the package's files and inner links, sorted by path, with
no times, no owners, and modes reduced to whether a file may be executed. Folders are not recorded,
so that a checkout by git (which keeps none that are empty) has the digest of its origin. A package's
identity is the SHA-256 of these bytes.

`.git` and `__pycache__` are never part of a package.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from windlass_registry.archive_names import alike, fault_of_name
from windlass_registry.errors import AuthorError, Problem

LEFT_OUT: Final = frozenset({".git", "__pycache__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """How large a package may be."""

    size_bytes: int = 256 * 1024 * 1024
    files: int = 20_000
    path_bytes: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a package, or one link (`target` is set) to another file or folder of it."""

    name: str
    content: bytes = b""
    is_executable: bool = False
    target: str | None = None


def digest_folder(path: Path, *, limits: ArchiveLimits = ArchiveLimits()) -> str:
    """The identity of a folder as a package: `sha256:…`.

    Raises:
        AuthorError: the folder holds what a package may not.
    """
    return digest_entries(read_folder(path, limits=limits))


def pack(path: Path, *, limits: ArchiveLimits = ArchiveLimits()) -> bytes:
    """The canonical archive of a folder. Raises as `digest_folder` does."""
    return b"".join(_encode(read_folder(path, limits=limits)))


def unpack(archive: bytes, target: Path, *, limits: ArchiveLimits = ArchiveLimits()) -> str:
    """Write an archive into `target`, a folder that does not exist yet or is empty; gives its digest.

    Only an archive as `pack` makes it is taken: byte for byte, so nothing can hide in it.

    Raises:
        AuthorError: not a canonical archive, or over a limit. Nothing is written then.
    """
    entries = read_archive(archive, limits=limits)
    write_entries(entries, target)
    return digest_entries(entries)


def read_archive(archive: bytes, *, limits: ArchiveLimits = ArchiveLimits()) -> list[Entry]:
    """The files and links of an archive, in canonical order. Raises as `unpack` does."""
    entries = _decode(archive, limits=limits)
    if b"".join(_encode(entries)) != archive:
        raise _refuse("archive", "not a canonical archive", "make it with 'windlass publish'")
    return entries


def digest_entries(entries: Iterable[Entry]) -> str:
    """The digest of checked, sorted entries."""
    digest = hashlib.sha256()
    for chunk in _encode(entries):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def read_folder(
    path: Path, *, limits: ArchiveLimits = ArchiveLimits(), skips_hidden: bool = False
) -> list[Entry]:
    """The files and links of a folder, checked and in canonical order. Raises as `digest_folder`.

    `skips_hidden` leaves out what begins with a dot in the folder itself (not deeper): the root of a
    working tree has virtual environments, caches and results there.
    """
    entries: list[Entry] = []
    size = 0
    for name in _walk(path, skips_hidden=skips_hidden):
        if len(entries) >= limits.files:
            raise _refuse(str(path), f"more than {limits.files:,} files", "put the action in its own folder")
        entry = _read_entry(path, name, left_bytes=limits.size_bytes - size)
        size += len(entry.content)
        entries.append(entry)
    entries.sort(key=_order)
    _check(entries, limits=limits, where=str(path))
    return entries


def checked_entries(
    entries: Iterable[Entry], *, shown_as: str, limits: ArchiveLimits = ArchiveLimits()
) -> list[Entry]:
    """Entries from elsewhere in canonical order. Raises as `digest_folder`, naming `shown_as`."""
    found = sorted(entries, key=_order)
    _check(found, limits=limits, where=shown_as)
    return found


def write_entries(entries: Iterable[Entry], target: Path) -> None:
    """Write checked entries into a new or empty folder, each file flushed to disk."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        place = target / entry.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is not None:
            place.symlink_to(entry.target)
            continue
        with place.open("xb") as stream:
            stream.write(entry.content)
            stream.flush()
            os.fsync(stream.fileno())
        place.chmod(0o755 if entry.is_executable else 0o644)


def _walk(root: Path, *, skips_hidden: bool) -> Iterator[str]:
    """Relative names of all that is not a folder, links not followed."""
    if not root.is_dir():
        raise _refuse(str(root), "no such folder")
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root / prefix) as found:
            for item in found:
                name = f"{prefix}{item.name}"
                if item.name in LEFT_OUT or (skips_hidden and name.startswith(".")):
                    continue
                if item.is_dir(follow_symlinks=False):
                    waiting.append(name + "/")
                else:
                    yield name


def _read_entry(root: Path, name: str, *, left_bytes: int) -> Entry:
    place = root / name
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(name=name, target=place.readlink().as_posix())
    if not stat.S_ISREG(mode):
        raise _refuse(_shown(name), "neither a file nor a folder", "leave sockets, pipes and devices out")
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refuse(_shown(name), "changed while it was read")
        content = stream.read(left_bytes + 1)
    if len(content) > left_bytes:
        raise _refuse(str(root), "too large for a package", "keep data and models out of the action's folder")
    return Entry(name=name, content=content, is_executable=bool(mode & 0o111))


def _check(entries: list[Entry], *, limits: ArchiveLimits, where: str) -> None:
    """Refuse what a package may not hold; the one place of these rules, for folders and archives."""
    names = {entry.name for entry in entries}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."}
    files = {entry.name for entry in entries if entry.target is None}
    if len(names) != len(entries) or names & folders:
        raise _refuse(where, "two files of the same name")
    if (pair := alike(names, folders)) is not None:
        first, second = (_shown(name) for name in pair)
        what = f"'{first}' and '{second}', which some file systems take for one file"
        raise _refuse(where, what, "rename one of them")
    for entry in entries:
        _check_name(entry.name, limits)
        if entry.target is not None:
            _check_link(entry, files=files, folders=folders)


def _check_name(name: str, limits: ArchiveLimits) -> None:
    if (fault := fault_of_name(name, path_bytes=limits.path_bytes)) is not None:
        raise _refuse(_shown(name), *fault)
    parts = name.split("/")
    if any(part in ("", ".", "..") or part.lower() in LEFT_OUT for part in parts):
        raise _refuse(_shown(name), "not a path that a package can hold")


def _check_link(entry: Entry, *, files: set[str], folders: set[str]) -> None:
    """A link points to a file or real folder of the package, by a path through no other link."""
    target = entry.target or ""
    parent = posixpath.dirname(entry.name)
    inside = posixpath.normpath(posixpath.join(parent, target))
    written = target.rstrip("/")
    leads = inside in (folders if target != written else files | folders)
    if not leads or written != posixpath.relpath(inside, parent or "."):
        raise _refuse(
            _shown(entry.name),
            f"a link to '{_shown(target)}', which is no file or folder of the package",
            "link only to what lies in the folder, by the shortest relative path, or copy the file",
        )


def _encode(entries: Iterable[Entry]) -> Iterator[bytes]:
    for entry in entries:
        header = tarfile.TarInfo(entry.name)
        header.mode = 0o755 if entry.is_executable else 0o644
        header.size = len(entry.content)
        if entry.target is not None:
            header.type, header.linkname, header.mode = tarfile.SYMTYPE, entry.target, 0o777
        yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        yield entry.content
        yield b"\0" * (-len(entry.content) % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _decode(archive: bytes, *, limits: ArchiveLimits) -> list[Entry]:
    entries: list[Entry] = []
    if len(archive) > limits.size_bytes + limits.files * 2048:
        raise _refuse("archive", "too large for a package")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:", errorlevel=2) as tar:
            for member in tar:
                if len(entries) >= limits.files:
                    raise _refuse("archive", f"more than {limits.files:,} files")
                entries.append(_decode_member(tar, member))
    except RecursionError as error:  # tarfile reads headers before headers by calling itself
        raise _refuse("archive", "not an archive of a package (header upon header)") from error
    except (tarfile.TarError, UnicodeError, EOFError, ValueError, OverflowError) as error:
        raise _refuse("archive", f"not an archive of a package ({error})") from error
    if entries != sorted(entries, key=_order):
        raise _refuse("archive", "its files are not in order")
    _check(entries, limits=limits, where="archive")
    return entries


def _decode_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    if member.issym():
        return Entry(name=member.name, target=member.linkname)
    # A sparse file of a few bytes may call itself a terabyte.
    stream = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if stream is None:
        raise _refuse(_shown(member.name), "neither a file nor a link")
    return Entry(name=member.name, content=stream.read(), is_executable=bool(member.mode & 0o111))


def _order(entry: Entry) -> bytes:
    return entry.name.encode("utf-8", "surrogateescape")


def _shown(name: str) -> str:
    return (
        name[:120].encode("unicode_escape", "surrogatepass").decode("ascii")
        if not name.isprintable()
        else name
    )


def _refuse(where: str, message: str, remedy: str | None = None) -> AuthorError:
    return AuthorError(Problem(path=where, line=0, column=0, message=message, remedy=remedy))
