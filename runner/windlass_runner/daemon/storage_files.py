"""Small files of the storage that the daemon needs to begin; what it means where they cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from windlass_registry.errors import OperatorError


class StorageUnwritable(OperatorError):
    """The storage cannot be written as things stand: a full disk, a right that lacks. The same call goes
    through when that has been mended."""


def unwritable(root: Path, error: OSError) -> StorageUnwritable:
    """The error that says so of a storage."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageUnwritable(
        f"the storage {root} cannot be written: {error.strerror}",
        remedy="free some disk space"
        if is_full
        else "let this user write there, or name another folder in [storage] path",
    )


def keep_text(path: Path, text: str) -> None:
    """Make this the content of a file of the storage: all of it, or what was there before.

    Raises:
        StorageUnwritable
    """
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        partial = path.with_name(f"{path.name}.new")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error
