"""Where the local runs of a repository are kept, and where their outputs are put."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.run.storage import Storage

OUT: Final = Path(".windlass/out")
STATE: Final = Path(".windlass/state")


def open_state(root: Path) -> Storage:
    """The folder that keeps local runs; git is told to leave it and the outputs alone.

    Raises:
        OperatorError: it cannot be written.
    """
    try:
        for folder in (root / STATE, root / OUT):
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"cannot write {error.filename}: {error.strerror}", remedy="let this user write there"
        ) from error
    return Storage(root / STATE)
