"""How containers and networks are removed from a Docker engine: for certain, or behind."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal

_REMOVERS = 4
_GONE_WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 5, 5)


class DockerRemoval:
    """Safe to use from several threads; has some of its own, until `close`."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection
        self._removers = ThreadPoolExecutor(_REMOVERS, thread_name_prefix="windlass-remove")

    def now(self, container: str) -> None:
        """Remove a container, by id or name, with its anonymous volumes; it is gone when this returns."""
        pause = threading.Event()
        for wait_s in _GONE_WAITS_S:
            if self._delete(f"/containers/{container}"):
                return
            pause.wait(wait_s)
        raise UpstreamError(f"container {container[:12]} is still being removed", retry_after_s=10)

    def behind(self, container: str) -> None:
        """Remove it soon. What does not go then goes with `Engine.destroy`, which says why it cannot."""
        self._removers.submit(self._quietly, container)

    def all(self, containers: Iterable[str]) -> None:
        """As `now`, some at a time."""
        list(self._removers.map(self.now, containers))

    def network(self, name: str) -> None:
        """Remove a network; waits for containers that are just leaving it."""
        pause = threading.Event()
        for wait_s in _GONE_WAITS_S:
            if self.network_if_unused(name):
                return
            pause.wait(wait_s)
        raise UpstreamError(f"network {name} is still in use", retry_after_s=10)

    def network_if_unused(self, name: str) -> bool:
        """Whether it is gone; False: containers run in it."""
        try:
            return self._delete(f"/networks/{name}")
        except DockerRefusal as exc:
            if "active endpoints" not in exc.message:
                raise
            return False

    def close(self) -> None:
        """Finish what was begun."""
        self._removers.shutdown(wait=True)

    def _quietly(self, container: str) -> None:
        try:
            self._delete(f"/containers/{container}")
        except (OperatorError, UpstreamError):
            return

    def _delete(self, path: str) -> bool:
        """Whether it is gone; False: somebody else is removing it."""
        try:
            self._connection.call("DELETE", path, query={"force": 1, "v": 1})
        except DockerRefusal as exc:
            if exc.status == 409:
                return False
            if exc.status != 404:
                raise
        return True
