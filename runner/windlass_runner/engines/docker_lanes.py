"""Networks and sandboxes of runs in a Docker engine.

Half of a container's start is the making of its network namespace. So each lane has one paused
container, made once and ahead, whose network its jobs join one after the other
(`NetworkMode: container:<sandbox>`). Two runs share no network, and Docker's rules let no packet
pass between networks.

The first lane of a run takes a spare (`docker_spares`) where one is ready; the run's network is the
spare's then, and its other lanes join that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from windlass_registry.errors import OperatorError
from windlass_runner.engines.base import Lane
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal
from windlass_runner.engines.docker_names import (
    LANE_LABEL,
    OWNER_LABEL,
    RUN_LABEL,
    SPARE_LABEL,
    can_claim,
    claimant,
    is_spare,
    listed_name,
    network_name,
    sandbox_name,
    sandboxes_filter,
)
from windlass_runner.engines.docker_networks import Sandbox, create_sandbox, make_network
from windlass_runner.engines.docker_spares import DockerSpares

T = TypeVar("T")


class DockerLanes:
    """The lanes that this process has opened. Safe to use from several threads: whoever asks for
    a lane that another thread is opening waits for it."""

    def __init__(
        self, connection: DockerConnection, labels: Mapping[str, str], *, spares: DockerSpares | None
    ) -> None:
        self._connection = connection
        self._labels = labels
        self._spares = spares
        self._lock = threading.Lock()
        self._networks: dict[tuple[str, str], Future[str]] = {}
        self._sandboxes: dict[tuple[str, str], Future[Sandbox]] = {}
        self._claimed: dict[tuple[str, str], Sandbox] = {}

    def open(self, run_id: str, lane: Lane) -> Sandbox:
        """The lane's sandbox, running; made where it is not there."""
        key = (run_id, sandbox_name(run_id, lane))
        return _once(self._lock, self._sandboxes, key, lambda: self._open(run_id, lane))

    def address(self, run_id: str, lane: Lane) -> str:
        """Where the host reaches the lane: asked each time, for an engine that starts again gives others."""
        sandbox = self.open(run_id, lane)
        found = self._connection.call("GET", f"/containers/{sandbox.container_id}/json")
        networks: dict[str, Any] = found["NetworkSettings"]["Networks"]
        address = next((one["IPAddress"] for one in networks.values() if one.get("IPAddress")), "")
        if not address:
            raise OperatorError(
                f"the network of run {run_id} has no address on this host",
                remedy="use a Docker engine that runs on the same machine as Windlass",
            )
        return str(address)

    def network(self, run_id: str, lane: Lane) -> str:
        """The name of the lane's network; made where it is not there."""
        name = network_name(run_id, lane)
        return _once(
            self._lock, self._networks, (run_id, name), lambda: self._open_network(run_id, lane, name)
        )

    def forget(self, run_id: str, lane: Lane | None = None) -> None:
        """Know no longer of that lane (None: of none of that run): the next `open` asks the engine."""
        sandbox = None if lane is None else sandbox_name(run_id, lane)
        network = None if lane is None else network_name(run_id, lane)
        with self._lock:
            self._drop(self._sandboxes, run_id, sandbox)
            self._drop(self._claimed, run_id, sandbox)
            self._drop(self._networks, run_id, network)

    @staticmethod
    def _drop(known: dict[tuple[str, str], Any], run_id: str, name: str | None) -> None:
        for key in [key for key in known if key[0] == run_id and name in (None, key[1])]:
            del known[key]

    def claimed(self, run_id: str) -> dict[str, Sandbox]:
        """By name, the sandboxes in spare networks that serve this run: whoever opened them."""
        if OWNER_LABEL not in self._labels or not can_claim(run_id):
            return {}
        listed: list[dict[str, Any]] = self._connection.call(
            "GET", "/containers/json", query={"all": 1, "filters": sandboxes_filter(run_id)}
        )
        found = {
            listed_name(item): Sandbox(container_id=item["Id"], network=item["HostConfig"]["NetworkMode"])
            for item in listed
        }
        return {name: sandbox for name, sandbox in found.items() if is_spare(sandbox.network)}

    def _open(self, run_id: str, lane: Lane) -> Sandbox:
        network = self.network(run_id, lane)
        name = sandbox_name(run_id, lane)
        with self._lock:
            claimed = self._claimed.pop((run_id, name), None)
        if claimed is not None:
            return claimed
        labels = {**self._labels, RUN_LABEL: run_id, LANE_LABEL: lane.name}
        try:
            container_id = create_sandbox(self._connection, name, network, labels)
        except DockerRefusal as exc:
            if exc.status != 409:
                raise
            container_id = self._existing_sandbox(name, run_id)
        self._connection.call("POST", f"/containers/{container_id}/start")
        return Sandbox(container_id=container_id, network=network)

    def _open_network(self, run_id: str, lane: Lane, name: str) -> str:
        if not lane.is_private:
            for sandbox in self.claimed(run_id).values():
                return sandbox.network
            if (network := self._claim(run_id, lane)) is not None:
                return network
        make_network(self._connection, name, {**self._labels, RUN_LABEL: run_id})
        return name

    def _claim(self, run_id: str, lane: Lane) -> str | None:
        """The network of a spare that becomes this lane's."""
        if self._spares is None or not can_claim(run_id):
            return None
        name = sandbox_name(run_id, lane)
        sandbox = self._spares.claim(name)
        if sandbox is None:
            return None
        with self._lock:
            self._claimed[run_id, name] = sandbox
        return sandbox.network

    def _existing_sandbox(self, name: str, run_id: str) -> str:
        found = self._connection.call("GET", f"/containers/{name}/json")
        labels = found["Config"]["Labels"] or {}
        if labels.get(RUN_LABEL) != run_id and not (SPARE_LABEL in labels and claimant(name) == run_id):
            raise OperatorError(
                f"a container named '{name}' exists and is not of run {run_id}",
                remedy=f"remove it: `docker rm -f {name}`",
            )
        return str(found["Id"])


def _once(
    lock: threading.Lock, made: dict[tuple[str, str], Future[T]], key: tuple[str, str], make: Callable[[], T]
) -> T:
    """What `make` gives, called once for each key however many threads ask; a failure is not kept."""
    with lock:
        future = made.get(key)
        is_ours = future is None
        if future is None:
            future = made[key] = Future()
    if not is_ours:
        return future.result()
    try:
        future.set_result(make())
    except BaseException as exc:
        with lock:
            made.pop(key, None)
        future.set_exception(exc)
    return future.result()
