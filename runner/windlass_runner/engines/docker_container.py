"""One container of a Docker engine."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from windlass_registry.errors import OperatorError
from windlass_runner.engines.base import (
    CommandNotStartable,
    ContainerExit,
    ContainerSpec,
    ContainerState,
    EngineUnavailable,
    HealthCheck,
)
from windlass_runner.engines.docker_connection import (
    CALL_TIMEOUT_S,
    DockerConnection,
    DockerRefusal,
    OpenStream,
)
from windlass_runner.engines.docker_logs import Group, attached_output, follow_log, logged_output, open_output

_STATES: dict[str, ContainerState] = {
    "created": "created",
    "running": "running",
    "paused": "running",
    "restarting": "running",
    "removing": "ended",
    "exited": "ended",
    "dead": "ended",
}
_NO_PROGRAM = (
    "executable file not found",
    "permission denied",
    "no such file or directory",
    "exec format error",
)
_STOPPED_SANDBOX = re.compile(r"cannot join network of a non running container: (\w+)")
_LOST_SANDBOX = re.compile(r"No such container: (\w+)")
_FIRST_PROBE_WAIT_S = 0.1
_END_FOLLOWS_S = 0.25
"""A container ends at once when its output does: its init holds that open. Does it not, the output was cut
by an engine, a tunnel or a proxy that has come back since (or the host is very busy)."""
HEALTH_LABEL = "windlass.health"


class DockerContainer:
    """See `base.Container`. A command that the image does not have is found by the init process:
    the container then ends with 127 and says so in its log.

    `is_fresh`: made just now, so that it cannot have been started yet. `is_heard`: somebody will read
    its output, so that it can be streamed from before the start; a service only has its log.
    `make_again` replaces it by a new one (a container cannot change its sandbox) and gives the new id.
    """

    def __init__(
        self,
        connection: DockerConnection,
        *,
        name: str,
        image: str,
        container_id: str,
        health: HealthCheck | None,
        is_fresh: bool,
        is_heard: bool,
        make_again: Callable[[], str] | None,
        remove: Callable[[str, bool], None],
    ) -> None:
        self._connection = connection
        self._name = name
        self._image = image
        self._id = container_id
        self._make_again = make_again
        self._health = health
        self._remove = remove
        self._exit: ContainerExit | None = None
        self._is_fresh = is_fresh
        self._is_heard = is_heard
        self._output: OpenStream | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def image(self) -> str:
        return self._image

    def state(self) -> ContainerState:
        return _STATES[self._inspect()["State"]["Status"]]

    def start(self) -> None:
        """Docker would run an ended container once more: only what we have just made needs no look."""
        if self._is_fresh or self.state() == "created":
            self._is_fresh = False
            try:
                self._start_now()
            except DockerRefusal as exc:
                self._start_again(exc)

    def _start_now(self) -> None:
        """Open its output, then start it."""
        self._close_output()
        if self._is_heard:
            self._output = open_output(self._connection, f"/containers/{self._id}")
        try:
            self._connection.call("POST", f"/containers/{self._id}/start")
        except BaseException:
            self._close_output()
            raise

    def _close_output(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.close()

    def _start_again(self, refusal: DockerRefusal) -> None:
        """Its lane's sandbox is stopped (the engine was restarted): wake it. It is gone: begin anew."""
        stopped = _STOPPED_SANDBOX.search(refusal.message)
        lost = _LOST_SANDBOX.search(refusal.message)
        is_lost = lost is not None and lost[1] != self._id
        if stopped is None and not (is_lost and self._make_again):
            raise self._not_started(refusal) from refusal
        try:
            if stopped is not None:
                self._connection.call("POST", f"/containers/{stopped[1]}/start")
            elif self._make_again is not None:
                self._id = self._make_again()
            self._start_now()
        except DockerRefusal as exc:
            raise self._not_started(exc) from exc

    def _not_started(self, exc: DockerRefusal) -> OperatorError:
        if "could not select device driver" in exc.message or "Unknown runtime" in exc.message:
            self._connection.call("DELETE", f"/containers/{self._id}", query={"force": 1, "v": 1})
            return OperatorError(
                f"container '{self._name}' needs a GPU, and the Docker engine has no NVIDIA runtime",
                remedy="install nvidia-container-toolkit, run `sudo nvidia-ctk runtime configure "
                "--runtime=docker` and restart Docker",
            )
        if any(sign in exc.message for sign in _NO_PROGRAM):
            return CommandNotStartable(
                f"container '{self._name}' cannot be started: {exc.message}",
                remedy="check the command, its path and its mode in that image",
            )
        return exc

    def logs(self) -> Iterator[bytes]:
        """See the contract. Who has started it gets the stream that was opened before, once; else it is
        the engine's log, with the same bytes: what is not UTF-8 has become U+FFFD."""
        path = f"/containers/{self._id}/logs"
        output, self._output = self._output, None

        def log() -> Iterator[Group]:
            return follow_log(self._connection, path, self.wait)

        if output is None:
            return logged_output(log(), given={})
        return attached_output(output, has_ended=self._has_ended, log=log)

    def wait(self) -> ContainerExit:
        self._close_output()  # nobody has asked for it: it must not hold the container back
        return self._end(timeout_s=None)

    def _has_ended(self) -> bool:
        try:
            self._end(timeout_s=_END_FOLLOWS_S)
        except EngineUnavailable as exc:
            if isinstance(exc.__cause__, TimeoutError):
                return False
            raise
        return True

    def _end(self, *, timeout_s: float | None) -> ContainerExit:
        if self._exit is None:
            answer = self._connection.call("POST", f"/containers/{self._id}/wait", timeout_s=timeout_s)
            code = int(answer["StatusCode"])
            self._exit = ContainerExit(code=code, oom_killed=code != 0 and self._is_oom_killed())
        return self._exit

    def _is_oom_killed(self) -> bool:
        """Memory may have run out in a child only: then the exit code is whatever its parent made of it."""
        try:
            return bool(self._inspect()["State"]["OOMKilled"])
        except DockerRefusal as exc:
            if exc.status == 404:  # somebody has removed it: that was its end
                return False
            raise

    def wait_healthy(self, *, timeout_s: float) -> bool:
        """The first look is taken at once, the next ones after short growing waits up to the
        check's interval; from then on `retries` failures in a row are enough."""
        pause = threading.Event()
        deadline = time.monotonic() + timeout_s
        wait_s, failures = _FIRST_PROBE_WAIT_S, 0
        while True:
            state = self.state()
            if state == "ended":
                return False
            if state == "running" and (self._health is None or self._passes(self._health)):
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0 or (self._health is not None and failures >= self._health.retries):
                return False
            pause.wait(min(wait_s, left_s))
            longest_s = self._health.interval_s if self._health else 1.0
            failures += wait_s >= longest_s
            wait_s = min(wait_s * 2, longest_s)

    def _passes(self, health: HealthCheck) -> bool:
        body = {"Cmd": ["sh", "-c", health.command], "AttachStdout": True, "AttachStderr": True}
        try:
            probe = self._connection.call("POST", f"/containers/{self._id}/exec", body=body)["Id"]
            self._connection.call(
                "POST",
                f"/exec/{probe}/start",
                body={"Detach": False, "Tty": False},
                timeout_s=health.timeout_s,
            )
            return bool(self._connection.call("GET", f"/exec/{probe}/json")["ExitCode"] == 0)
        except (DockerRefusal, EngineUnavailable):
            return False  # it ended meanwhile, or the probe took too long

    def stop(self, *, grace_s: float) -> None:
        grace = max(0, math.ceil(grace_s))
        try:
            self._connection.call(
                "POST", f"/containers/{self._id}/stop", query={"t": grace}, timeout_s=grace + CALL_TIMEOUT_S
            )
        except DockerRefusal as exc:
            if exc.status != 404:
                raise

    def remove(self, *, wait: bool = False) -> None:
        self._remove(self._id, wait)

    def _inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = self._connection.call("GET", f"/containers/{self._id}/json")
        return found


def health_to_label(health: HealthCheck) -> str:
    """A check as text, so that whoever finds the container later knows it too."""
    return json.dumps([health.command, health.interval_s, health.timeout_s, health.retries])


def health_from_label(text: str | None) -> HealthCheck | None:
    """The inverse of `health_to_label`."""
    if text is None:
        return None
    command, interval_s, timeout_s, retries = json.loads(text)
    return HealthCheck(command=command, interval_s=interval_s, timeout_s=timeout_s, retries=retries)


def creation_body(
    spec: ContainerSpec, *, entrypoint: tuple[str, ...] | None, labels: dict[str, str]
) -> dict[str, Any]:
    """What the Engine API's "Create a container" takes, but for the network."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": labels,
        "HostConfig": _host_config(spec),
    }
    if entrypoint is not None:
        body["Entrypoint"] = list(entrypoint)
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.workdir is not None:
        body["WorkingDir"] = spec.workdir
    return body


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.limits
    config: dict[str, Any] = {
        "Init": True,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "Mounts": [
            {
                "Type": "bind",
                "Source": str(mount.source.absolute()),
                "Target": mount.target,
                "ReadOnly": mount.is_read_only,
            }
            for mount in spec.mounts
        ],
    }
    if limits.cpus is not None:
        config["NanoCpus"] = int(limits.cpus * 1e9)
    if limits.memory_bytes is not None:
        config["Memory"] = config["MemorySwap"] = limits.memory_bytes
    if limits.shm_bytes is not None:
        config["ShmSize"] = limits.shm_bytes
    if limits.gpu_ids:
        request = {"Driver": "", "DeviceIDs": list(limits.gpu_ids), "Capabilities": [["gpu"]]}
        config["DeviceRequests"] = [request]
    return config
