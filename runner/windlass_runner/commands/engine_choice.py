"""Which engine runs the jobs, made but not yet asked anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from windlass_registry.errors import OperatorError

if TYPE_CHECKING:
    from windlass_runner.daemon.settings import Settings
    from windlass_runner.engines.base import Engine
    from windlass_runner.engines.measuring import Peaks
    from windlass_runner.run.storage import Storage


def open_engine(
    name: str,
    *,
    storage: Storage,
    environment: Mapping[str, str],
    address: str | None = None,
    peaks: Peaks | None = None,
) -> Engine:
    """The engine of that name. `address` is Docker's, where it is not the environment's own; `peaks` hears
    what the containers needed."""
    variables = {**environment, **({"DOCKER_HOST": address} if address is not None else {})}
    if peaks is not None:
        from windlass_runner.engines.measuring import MeasuringDockerEngine, MeasuringProcessEngine

        if name == "process":
            return MeasuringProcessEngine(storage.engine, peaks=peaks)
        return MeasuringDockerEngine(environment=variables, peaks=peaks)
    if name == "process":
        from windlass_runner.engines.process import ProcessEngine

        return ProcessEngine(storage.engine)
    from windlass_runner.engines.docker import DockerEngine

    return DockerEngine(environment=variables)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChoice:
    """The machine that a local run is for."""

    name: str = "local"
    engine: Literal["docker", "process"] = "docker"
    docker: str | None = None
    parallelism: int = 4


def choose_host(
    name: str | None, *, engine: Literal["docker", "process"] | None, settings: Settings | None
) -> HostChoice:
    """The host of that name in the settings, else the first one; `engine` wins over what it says.

    Raises:
        OperatorError: there is no such host.
    """
    default = min(8, max(4, os.cpu_count() or 1))
    if settings is None:
        if name not in (None, "local"):
            raise OperatorError(
                f"unknown host '{name}': there is no windlass.toml here", remedy="leave --host out"
            )
        return HostChoice(engine=engine or "docker", parallelism=default)
    known = {host.name: host for host in settings.hosts}
    if name is not None and name not in known:
        raise OperatorError(
            f"the settings have no host '{name}'", remedy=f"they have {', '.join(sorted(known))}"
        )
    host = known[name] if name is not None else settings.hosts[0]
    return HostChoice(
        name=host.name,
        engine=engine or host.engine,
        docker=host.docker,
        parallelism=host.parallelism or settings.runner.parallelism,
    )
