"""The registry that a daemon serves beside its own work: `<storage>/registry`, under `/registry`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.routing import Mount

from windlass_registry.hosting.store_settings import holds_registry
from windlass_runner.daemon.journal import Journal
from windlass_runner.web.app import Reply

PREFIX: Final = "/registry"
DATABASE: Final = "private/server.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPart:
    """A registry that is served."""

    app: Mount
    trouble: Callable[[], str | None]
    """Asks why it cannot be read or will not be believed; None: it is fine."""


def own_database(folder: Path) -> str:
    """Where a registry keeps tokens and counts by default: beside its keys."""
    return f"sqlite:///{folder / DATABASE}"


@contextlib.contextmanager
def embedded_registry(
    folder: Path, *, url: str | None, journal: Journal, prefix: str = PREFIX, database: str | None = None
) -> Iterator[RegistryPart | None]:
    """What serves the registry of that folder; None where there is none (it takes 20 MB to read one).
    `database`: a postgresql:// address, for tokens and counts. A store that does not answer is waited for.

    Raises:
        OperatorError: its database or the settings of its store cannot be used.
    """
    if not holds_registry(folder):
        yield None
        return
    from windlass_registry.hosting.folder import RegistryFolder
    from windlass_registry.samples.releases import BuiltinSamples
    from windlass_registry.server.accounts import Accounts
    from windlass_registry.server.app import RegistryServer, make_registry
    from windlass_registry.server.keeping import Keeping, trouble_of
    from windlass_registry.sources.builtin import load_builtin

    builtin = load_builtin()
    registry = RegistryFolder(folder, clock=lambda: datetime.now(UTC), builtin=builtin.names())
    _ = registry.files  # settings that cannot be used end it here
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
        yield RegistryPart(
            app=Mount(prefix, app=make_registry(server)),
            trouble=lambda: trouble_of(registry, now=datetime.now(UTC)),
        )
    finally:
        keeping.stop()
        accounts.close()


def with_registry(health: Callable[[], Reply], registry: RegistryPart | None) -> Callable[[], Reply]:
    """What `GET /healthz` says, the registry's trouble among the problems: the daemon's work goes on."""
    if registry is None:
        return health

    def answer() -> Reply:
        status, body = health()
        trouble = registry.trouble()
        if trouble is not None:
            body = {**body, "problems": [*body["problems"], f"registry: {trouble}"]}
            body["status"] = "degraded" if body["status"] == "ok" else body["status"]
        return status, body

    return answer


def registry_health(registry: RegistryPart) -> Reply:
    """What a registry that is served by itself says of its health."""
    trouble = registry.trouble()
    if trouble is None:
        return 200, {"status": "ok", "problems": []}
    return 503, {"status": "failing", "problems": [trouble]}
