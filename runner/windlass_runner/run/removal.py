"""Removes a run for good: its files, then what the ledger knows of it. Called by `daemon.retention`, and by
`windlass delete`.

The files are first moved out of the way under a name that says what happens to them: whoever wants to make
the run again sees it, and a crash at any line is taken up by the same call. The ledger goes last, because
without it nobody would know whose files they are; and because the files are what a full disk needs.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_runner.data.trees import remove_tree
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage


def remove_run(ledger: Ledger, storage: Storage, run_id: str, *, at: float) -> str | None:
    """Remove that run, or go on with what a crash interrupted. What keeps it, in words; None: it is gone.

    Raises:
        OperatorError: its files cannot be removed; it goes on the next time.
    """
    files, leaving = storage.run(run_id), storage.leaving(run_id)
    try:
        _move(files, leaving)
        obstacle = ledger.removal.obstacle(run_id)
        if obstacle is not None:
            _move(leaving, files)
            return obstacle
        for entry in _entries(leaving):
            remove_tree(entry)
        if not ledger.removal.remove(run_id, at=at):
            return ledger.removal.obstacle(run_id)
        remove_tree(leaving)
    except OSError as error:
        raise OperatorError(
            f"the files of run {run_id} cannot be removed: {error}",
            remedy=f"let this user write in {files.parent}",
        ) from error
    return None


def left_half_removed(storage: Storage) -> list[str]:
    """The runs whose removal a crash interrupted."""
    suffix = storage.leaving("").name
    return sorted(
        entry.name.removesuffix(suffix) for entry in _entries(storage.runs) if entry.name.endswith(suffix)
    )


def remove_files(place: Path) -> None:
    """Remove something a run has kept, from one moment to the next: nobody finds the half of it.

    Raises:
        OSError
    """
    leaving = place.with_name(f".{place.name}.leaving")
    remove_tree(leaving)
    with contextlib.suppress(FileNotFoundError):
        place.rename(leaving)
    remove_tree(leaving)


def _move(source: Path, target: Path) -> None:
    """Give it the other name; what was so called is an older half of it."""
    if source.exists():
        remove_tree(target)
        source.rename(target)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
