"""Network sandboxes made before anybody needs them, so that a run that comes finds one ready.

To make a network and a sandbox takes the engine half a second and more, to claim one 10 ms. A spare
belongs to no run; it is claimed by being renamed to the sandbox of a lane (see `docker_names`), in
one step that is done or not done whenever the daemon is killed. What a killed daemon has left
unclaimed is taken over by the next one of the same owner.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal
from windlass_runner.engines.docker_names import (
    SPARE_LABEL,
    claimant,
    is_spare,
    label_filter,
    listed_name,
    spare_name,
)
from windlass_runner.engines.docker_networks import Sandbox, create_sandbox, make_network
from windlass_runner.engines.docker_removal import DockerRemoval

_QUIET_S: Final = 1.0
"""A spare is made when nothing has been asked of the engine for so long …"""
_PATIENCE_S: Final = 20.0
"""… or when this long was waited for that."""
_LAST_WORK_S: Final = 10.0
_RETRY_S: Final = (1.0, 5.0, 15.0, 60.0)


class DockerSpares:
    """Keeps `count` spares by a thread of its own, which sleeps while there are that many.

    Safe to use from several threads. `labels` tell whose they are: two live engines must not have the same.
    """

    def __init__(
        self, connection: DockerConnection, removal: DockerRemoval, labels: Mapping[str, str], *, count: int
    ) -> None:
        self._connection = connection
        self._removal = removal
        self._labels = {**labels, SPARE_LABEL: "1"}
        self._owner_labels = dict(labels)
        self._count = count
        self._changed = threading.Condition()
        self._ready: deque[tuple[str, Sandbox]] = deque()
        self._used_at = float("-inf")
        self._is_closing = False
        self._thread = threading.Thread(target=self._keep, name="windlass-spares", daemon=True)
        self._thread.start()

    def note_use(self) -> None:
        """The engine is being used: no time to make spares."""
        self._used_at = time.monotonic()

    def claim(self, name: str) -> Sandbox | None:
        """A spare, from now on the sandbox called `name`; None: there is none, or that name is taken."""
        while True:
            with self._changed:
                if not self._ready:
                    return None
                spare, sandbox = self._ready.popleft()
                self._changed.notify_all()
            try:
                self._connection.call("POST", f"/containers/{spare}/rename", query={"name": name})
            except DockerRefusal as exc:
                if exc.status == 404:  # somebody removed it
                    continue
                if exc.status != 409:
                    raise
                with self._changed:
                    self._ready.appendleft((spare, sandbox))
                return None
            return sandbox

    def close(self) -> None:
        """Remove what nobody has claimed."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(_LAST_WORK_S)
        while self._ready:
            self._remove(self._ready.popleft()[0])

    # -- the thread --------------------------------------------------------------------------------

    def _keep(self) -> None:
        failures = 0
        has_taken_over = False
        while not self._is_closing:
            try:
                if not has_taken_over:
                    self._take_over()
                    has_taken_over = True
                self._fill()
            except (OperatorError, UpstreamError):
                self._pause(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            failures = 0
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing or self._lacks_one())
            self._wait_for_quiet()

    def _lacks_one(self) -> bool:
        return len(self._ready) < self._count

    def _fill(self) -> None:
        while self._lacks_one() and not self._is_closing:
            name = spare_name()
            try:
                make_network(self._connection, name, self._labels)
                container_id = create_sandbox(self._connection, name, name, self._labels)
                self._connection.call("POST", f"/containers/{container_id}/start")
            except BaseException:
                self._remove(name)
                raise
            with self._changed:
                self._ready.append((name, Sandbox(container_id=container_id, network=name)))

    def _wait_for_quiet(self) -> None:
        begun = time.monotonic()
        while not self._is_closing:
            now = time.monotonic()
            left_s = min(self._used_at + _QUIET_S, begun + _PATIENCE_S) - now
            if left_s <= 0:
                return
            self._pause(left_s)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, seconds)

    # -- what a killed daemon has left ---------------------------------------------------------------

    def _take_over(self) -> None:
        """Use the spares that nobody has claimed; remove those that are too many or have ended, and
        networks whose sandboxes are gone."""
        of_owner = label_filter(*(f"{key}={value}" for key, value in self._owner_labels.items()))
        containers = self._list("/containers/json", of_owner)
        for item in containers:
            name = listed_name(item)
            if SPARE_LABEL not in item["Labels"] or claimant(name) is not None:
                continue
            if item["State"] == "running" and self._lacks_one():
                sandbox = Sandbox(container_id=item["Id"], network=item["HostConfig"]["NetworkMode"])
                with self._changed:
                    self._ready.append((name, sandbox))
            else:
                self._remove(name)
        used = {item["HostConfig"]["NetworkMode"] for item in containers}
        for network in self._list("/networks", of_owner):
            if is_spare(network["Name"]) and network["Name"] not in used:
                self._remove(network["Name"])

    def _list(self, path: str, filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._connection.call("GET", path, query={"all": 1, "filters": filters})
        return found

    def _remove(self, name: str) -> None:
        """The sandbox that still has this name, and its network unless it is in use. By name: what was
        claimed has another."""
        with contextlib.suppress(OperatorError, UpstreamError):
            self._removal.now(name)
            self._removal.network_if_unused(name)
