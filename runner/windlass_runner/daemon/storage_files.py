"""Small files of the storage that the daemon needs to begin; what it means where they cannot be written."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError

_KEY_BYTES: Final = 32


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


def keep_key(path: Path) -> bytes:
    """A secret of the storage's own: made once, 32 random bytes that only its owner can read.

    Raises:
        StorageUnwritable
    """
    try:
        if not path.is_file():
            partial = path.with_name(f"{path.name}.new")
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(descriptor)
            partial.replace(path)
        key = path.read_bytes()
    except OSError as error:
        raise unwritable(path.parent, error) from error
    if len(key) != _KEY_BYTES:
        raise OperatorError(f"{path} is not the key that it was", remedy="remove it; another is made then")
    return key
