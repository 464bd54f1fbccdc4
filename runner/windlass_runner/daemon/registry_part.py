"""The registry that a daemon serves beside its own work: `<storage>/registry`, under `/registry`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.routing import Mount

from windlass_runner.daemon.journal import Journal

PREFIX: Final = "/registry"
DATABASE: Final = "private/server.db"


def own_database(folder: Path) -> str:
    """Where a registry keeps tokens and counts by default: beside its keys."""
    return f"sqlite:///{folder / DATABASE}"


@contextlib.contextmanager
def embedded_registry(
    folder: Path, *, url: str | None, journal: Journal, prefix: str = PREFIX, database: str | None = None
) -> Iterator[list[Mount]]:
    """What serves the registry of that folder; nothing where there is none (it takes 20 MB to read one).
    `database`: a postgresql:// address, for tokens and counts.

    Raises:
        OperatorError: its database cannot be used.
    """
    if not (folder / "metadata" / "timestamp.json").is_file():
        yield []
        return
    from windlass_registry.hosting.folder import RegistryFolder
    from windlass_registry.samples.releases import BuiltinSamples
    from windlass_registry.server.accounts import Accounts
    from windlass_registry.server.app import RegistryServer, make_registry
    from windlass_registry.server.keeping import Keeping
    from windlass_registry.sources.builtin import load_builtin

    builtin = load_builtin()
    registry = RegistryFolder(folder, clock=lambda: datetime.now(UTC), builtin=builtin.names())
    accounts = Accounts.open(database or own_database(folder))
    keeping = Keeping(registry, told=lambda text: journal.warning("registry.not-refreshed", error=text))
    keeping.start()
    try:
        public = None if url is None else f"{url.rstrip('/')}{prefix}"
        server = RegistryServer(
            folder=registry,
            accounts=accounts,
            clock=time.time,
            actions=builtin,
            samples=BuiltinSamples.installed(),
            url=public,
        )
        yield [Mount(prefix, app=make_registry(server))]
    finally:
        keeping.stop()
        accounts.close()
