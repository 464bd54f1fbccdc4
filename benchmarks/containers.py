"""No-op containers in every way below us: `docker run`, the SDK, and bare calls over the socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.measuring import BenchmarkFailed

IMAGE = "windlass-test/busybox:1"
COMMAND = ("echo", "hello")
_SOCKET = "unix:///var/run/docker.sock"
LABELS = {"windlass.benchmark": "1"}


def docker_run(jobs: int, command: Sequence[str] = COMMAND) -> None:
    """What a shell script would do."""
    for _ in range(jobs):
        subprocess.run(["docker", "run", "--rm", IMAGE, *command], check=True, capture_output=True)


@contextmanager
def sandboxes(api: Any, count: int) -> Iterator[list[str]]:
    """Containers whose network others join: the network mode that a run of ours has."""
    network = api.create_network(f"benchmark-{uuid.uuid4().hex[:8]}", driver="bridge")["Id"]
    made = []
    try:
        for _ in range(count):
            body = {"Image": IMAGE, "Cmd": ["sleep", "3600"], "HostConfig": {"NetworkMode": network}}
            made.append(api.create_container_from_config(body)["Id"])
            api.start(made[-1])
        yield made
    finally:
        for container in made:
            api.remove_container(container, force=True)
        api.remove_network(network)


def sdk(api: Any, jobs: int, *, network: str) -> None:
    """create, start, logs, wait, remove: one container after the other, by the SDK's calls."""
    for _ in range(jobs):
        made = api.create_container_from_config(_body(network))["Id"]
        api.start(made)
        for _ in api.logs(made, stream=True, follow=True):
            pass
        api.wait(made)
        api.remove_container(made)


def sdk_joined(api: Any, jobs: int, *, parallel: int = 1) -> None:
    """As `sdk`, in the network mode of a run, which is made and removed as well."""
    with sandboxes(api, parallel) as lanes, ThreadPoolExecutor(parallel) as pool:
        lists = [len(range(lane, jobs, parallel)) for lane in range(parallel)]
        done = [
            pool.submit(sdk, api, count, network=f"container:{lane}")
            for lane, count in zip(lanes, lists, strict=True)
        ]
        for one in done:
            one.result()


class PlainConnection(http.client.HTTPConnection):
    """HTTP over the engine's socket: the least that a Python process can spend."""

    def __init__(self) -> None:
        super().__init__("localhost")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(os.environ.get("DOCKER_HOST", _SOCKET).removeprefix("unix://"))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """The answer's body; it is read as it comes."""
        content = json.dumps(body).encode() if body is not None else None
        self.request(method, path, body=content, headers={"Content-Type": "application/json"})
        answer = self.getresponse()
        found = b""
        while piece := answer.read1(65536):
            found += piece
        answer.read()  # nothing more; the connection is free again
        if answer.status >= 400:
            raise BenchmarkFailed(f"{method} {path}: {found.decode()}")
        return found


def bare(connection: PlainConnection, jobs: int, *, network: str) -> None:
    """The same five requests with nothing around them."""
    for _ in range(jobs):
        made = json.loads(connection.ask("POST", "/containers/create", _body(network)))["Id"]
        connection.ask("POST", f"/containers/{made}/start")
        connection.ask("GET", f"/containers/{made}/logs?follow=1&stdout=1&stderr=1")
        connection.ask("POST", f"/containers/{made}/wait")
        connection.ask("DELETE", f"/containers/{made}")


def _body(network: str) -> dict[str, Any]:
    host = {"NetworkMode": network, "Init": True, "LogConfig": {"Type": "json-file", "Config": {}}}
    return {"Image": IMAGE, "Cmd": list(COMMAND), "Labels": LABELS, "HostConfig": host}


def open_sdk() -> Any:
    """The SDK's client."""
    from docker import APIClient

    return APIClient(version="auto")
