"""The ending of an attempt that is cleaned away before the ledger has it, because the disk is full.

It is written where no container sees it. Whoever takes the attempt up after a crash finds it there, and does
not take what is gone for something that never ran.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path

from windlass_runner.run.ending import Ending
from windlass_runner.run.scratch import AttemptFolders


def keep_ending(folders: AttemptFolders, ending: Ending) -> bool:
    """Write it down, all of it or at least how it stands. False: there is no room even for that."""
    brief = replace(ending, outputs={}, metrics={}, summary="", annotations=())
    return any(_is_written(_place(folders), each) for each in (ending, brief))


def kept_ending(folders: AttemptFolders) -> Ending | None:
    """What was written down of that attempt; None: nothing, or not all."""
    try:
        found = json.loads(_place(folders).read_bytes())
    except (OSError, ValueError):
        return None
    known = {field.name: found[field.name] for field in fields(Ending) if field.name in found}
    lists = {name: tuple(known.get(name, ())) for name in ("annotations", "expectations")}
    return Ending(**{**known, **lists})


def _place(folders: AttemptFolders) -> Path:
    """Beside the attempt's folder: it goes with those of the run."""
    return folders.root.with_name(f"{folders.root.name}.ended.json")


def _is_written(place: Path, ending: Ending) -> bool:
    beside = place.with_suffix(".new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(asdict(ending)).encode())
            file.flush()
            os.fsync(descriptor)
        beside.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        return False
    return True
