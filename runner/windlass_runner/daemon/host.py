"""The host that runs the jobs: what the settings may ask of it, its engine, and how that fares.
Used by `daemon.wiring`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.daemon.settings import HostSettings, Settings
from windlass_runner.daemon.storage_files import keep_text
from windlass_runner.engines.base import Engine
from windlass_runner.engines.docker_digests import DockerDigests
from windlass_runner.run.storage import Storage

_ENGINE_ASKED_EVERY_S: Final = 10.0


def check_supported(settings: Settings) -> None:
    """What is read, but cannot be done yet, is never passed over in silence. Raises OperatorError."""
    if settings.storage.objects is not None:
        raise OperatorError(
            "[storage] objects: an object store cannot be used yet", remedy="leave it out: files are kept"
        )
    if len(settings.hosts) > 1:
        raise OperatorError(
            f"{len(settings.hosts)} hosts are named; jobs run on one as yet", remedy="keep one [[host]]"
        )


def open_engine(host: HostSettings, storage: Storage, environ: Mapping[str, str]) -> Engine:
    """The host's engine; it need not answer yet. Raises StorageUnwritable."""
    if host.engine == "process":
        from windlass_runner.engines.process import ProcessEngine

        return ProcessEngine(storage.engine)
    from windlass_runner.engines.docker import DockerEngine

    return DockerEngine(environment=_variables(host, environ), owner=instance_id(storage.root), spare_lanes=1)


def open_digests(
    host: HostSettings | None, environ: Mapping[str, str], *, limit_s: float | None = None
) -> DockerDigests:
    """Who knows the images of a host; without one, of the environment's engine. `limit_s`: as of
    `DockerDigests`."""
    return DockerDigests(_variables(host, environ), limit_s=limit_s)


def _variables(host: HostSettings | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Where the host's Docker is."""
    if host is None or host.docker is None:
        return environ
    return {**environ, "DOCKER_HOST": host.docker}


def instance_id(root: Path) -> str:
    """What tells this storage's containers from those of other daemons on the same engine."""
    path = root / "instance"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        fresh = uuid.uuid4().hex
        keep_text(path, fresh)
        return fresh


class EngineHealth:
    """What the engine says of itself, asked at most every ten seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked_at = float("-inf")
        self._answer: dict[str, Any] = {}

    def answer(self) -> dict[str, Any]:
        """Name and version, or why it does not answer."""
        now = time.monotonic()
        if now - self._asked_at > _ENGINE_ASKED_EVERY_S or self._answer.get("error"):
            self._answer = self._ask()
            self._asked_at = now
        return self._answer

    def _ask(self) -> dict[str, Any]:
        try:
            facts = self._engine.facts()
        except WindlassError as error:
            return {"name": self._engine.name, "error": str(error)}
        return {"name": facts.name, "version": facts.version, "isolation": facts.isolation, "error": None}
