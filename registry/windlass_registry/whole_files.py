"""Files of a working tree that are written at once or not at all, and leave nothing beside them."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from windlass_registry.errors import OperatorError


def write_whole(place: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file, and the folders that it lies in. What a killed call left beside it goes with the next.

    Raises:
        OperatorError: it cannot be written; what was there is there.
    """
    beside = place.with_name(f".{place.name}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with beside.open("xb") as stream:
            stream.write(content)
        beside.chmod(mode)
        beside.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room on the disk" if is_full else "let this user write there"
        raise OperatorError(f"cannot write {place}: {error.strerror or error}", remedy=remedy) from error
