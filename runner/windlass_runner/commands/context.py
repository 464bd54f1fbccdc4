"""Whose runs a command speaks of: which folder holds the ledger, and why that one.

`--storage` wins, then a named or found settings file (the daemon's storage), then the local runs
of the repository around the working folder, then the default storage.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation
from windlass_runner.run.storage import Storage

if TYPE_CHECKING:
    from windlass_runner.daemon.settings import Settings
    from windlass_runner.ledger.ledger import Ledger

LOCAL_STATE: Final = Path(".windlass/state")
SETTINGS_FILE: Final = "windlass.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the runs lie that a command speaks of."""

    storage: Storage
    database: str | None = None
    """A PostgreSQL address, where the ledger is not in the storage."""
    origin: str
    """Why this one, in words."""
    is_daemon: bool
    """Whether a daemon works on it (and takes requests)."""
    url: str | None = None
    """How others reach that daemon, where its settings say so."""
    apps_url: str | None = None
    """How they reach its apps, where that is another host name."""


def find_place(arguments: Namespace, invocation: Invocation) -> Place:
    """Decide which ledger is meant.

    Raises:
        OperatorError: the settings are broken.
    """
    if arguments.storage is not None:
        folder = invocation.folder / Path(arguments.storage).expanduser()
        return Place(storage=Storage(folder), origin="--storage", is_daemon=True)
    config = settings_path(arguments, invocation)
    local = _local_state(invocation)
    if config is None and local is not None:
        return Place(storage=Storage(local), origin=f"the local runs in {local}", is_daemon=False)
    settings = load(arguments, invocation)
    origin = "the default storage" if settings.source is None else f"the settings {settings.source}"
    return Place(
        storage=Storage(settings.storage.path),
        database=settings.storage.database,
        origin=origin,
        is_daemon=True,
        url=settings.server.url,
        apps_url=settings.server.apps_url,
    )


def settings_path(arguments: Namespace, invocation: Invocation) -> Path | None:
    """The settings file that is meant: the named one, or the one in the working folder."""
    if arguments.config is not None:
        return invocation.folder / Path(arguments.config).expanduser()
    here = invocation.folder / SETTINGS_FILE
    return here if here.is_file() else None


def load(arguments: Namespace, invocation: Invocation) -> Settings:
    """The settings that hold here; the system's where the working folder has none."""
    from windlass_runner.daemon.settings import find_settings, load_settings

    path = settings_path(arguments, invocation) or find_settings(invocation.folder)
    return load_settings(path, invocation.environment)


def open_ledger(place: Place) -> Ledger:
    """The ledger of a place, which must exist already.

    Raises:
        OperatorError: there is none.
    """
    from windlass_runner.ledger.ledger import Ledger

    if place.database is not None:
        return Ledger.open(place.database, create=False)
    if not place.storage.ledger.is_file():
        raise OperatorError(
            f"no runs yet: {place.storage.ledger} does not exist ({place.origin})",
            remedy="run something with 'windlass run' or 'windlass serve', or name another with --config or "
            "--storage",
        )
    return Ledger.open(str(place.storage.ledger), create=False)


def repository_root(folder: Path) -> Path | None:
    """The working tree around a folder, found without starting git."""
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), None)


def _local_state(invocation: Invocation) -> Path | None:
    root = repository_root(invocation.folder)
    if root is None:
        return None
    state = root / LOCAL_STATE
    return state if (state / "ledger.db").is_file() else None
