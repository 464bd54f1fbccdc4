"""Calls of a Docker engine's HTTP API, with its errors as ours.

The few paths that we need of the Engine API are called directly, because each of the SDK's
convenience calls costs a further look at the container. How they travel: `docker_transport`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from windlass_registry.errors import OperatorError
from windlass_runner.engines import docker_transport
from windlass_runner.engines.base import EngineUnavailable, HostFull
from windlass_runner.engines.docker_transport import Pieces, Transport

CALL_TIMEOUT_S = 120.0
"""For calls that answer when they are done; following logs and waiting have none."""
Json = Mapping[str, Any]


class DockerRefusal(OperatorError):
    """The engine answered with an error. `status` is HTTP's; `message` the engine's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, remedy=_remedy_for(message))
        self.status = status


def _remedy_for(message: str) -> str | None:
    if "bind source path does not exist" in message:
        return "the folder must exist before the container is made"
    if "CPUs is from" in message:
        return "ask for fewer `resources: cpus` or use a larger host"
    return None


class DockerConnection:
    """One engine. Safe to use from several threads; connects at the first call."""

    def __init__(self, environment: Mapping[str, str], *, opening_s: float | None = None) -> None:
        """`environment`: where DOCKER_HOST and its like are read; `opening_s`: as of `open_transport`."""
        self._environment = dict(environment)
        self._opening_s = opening_s
        self._opening = threading.Lock()
        self._transport: Transport | None = None

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Json | bytes | None = None,
        timeout_s: float | None = CALL_TIMEOUT_S,
    ) -> Any:
        """One request; its JSON answer, or None where the answer is empty or no JSON.

        Raises:
            DockerRefusal, HostFull: the engine answered with an error.
            EngineUnavailable: it did not answer.
        """
        content, content_type = _encoded(body)
        with _translated():
            status, answer = self._open().call(method, _target(path, query), content, content_type, timeout_s)
        if status >= 400:
            raise _refusal(status, answer)
        return json.loads(answer) if answer.startswith((b"{", b"[")) else None

    def stream(self, method: str, path: str, *, query: Mapping[str, str | int]) -> OpenStream:
        """An endless answer; it has begun when this returns. Raises as `call` does."""
        with _translated():
            status, pieces = self._open().stream(method, _target(path, query))
            if status >= 400:
                raise _refusal(status, b"".join(pieces))
            return OpenStream(pieces)

    def pull(self, repository: str, tag: str) -> Iterator[Mapping[str, Any]]:
        """Progress of a pull, with the credentials that `docker login` has left."""
        with _translated():
            yield from docker_transport.pull(self._environment, repository, tag)

    def registry_digest(self, reference: str, *, timeout_s: float | None = None) -> str:
        """What an image's registry has for its name now, with the credentials of `docker login`."""
        with _translated():
            status, answer = docker_transport.distribution(self._environment, reference, timeout_s=timeout_s)
        if status >= 400:
            raise _refusal(status, answer)
        return str(json.loads(answer)["Descriptor"]["digest"])

    def build(
        self, context: bytes, *, dockerfile: str, tag: str, labels: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        """Progress of a build of that archive, with the credentials that `docker login` has left."""
        with _translated():
            yield from docker_transport.build(
                self._environment, context, dockerfile=dockerfile, tag=tag, labels=labels
            )

    def close(self) -> None:
        """Close idle connections; the next call opens new ones."""
        with self._opening:
            if self._transport is not None:
                self._transport.close()
            self._transport = None

    def _open(self) -> Transport:
        with self._opening:
            if self._transport is None:
                self._transport = docker_transport.open_transport(
                    self._environment, opening_s=self._opening_s
                )
            return self._transport


class OpenStream:
    """The raw pieces of an endless answer, each as soon as it arrives. Raises `EngineUnavailable` where
    it breaks off. Close it where it is not read to its end."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def __iter__(self) -> OpenStream:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except (OSError, http.client.HTTPException) as exc:
            raise _unavailable(exc) from exc

    def close(self) -> None:
        self._pieces.close()


def _encoded(body: Json | bytes | None) -> tuple[bytes | None, str]:
    if body is None or isinstance(body, bytes):
        return body, "application/x-tar"
    return json.dumps(body).encode(), "application/json"


def _target(path: str, query: Mapping[str, str | int] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the transport's exceptions into ours."""
    try:
        yield
    except (OSError, http.client.HTTPException) as exc:
        raise _unavailable(exc) from exc


def _unavailable(exc: Exception) -> EngineUnavailable:
    if isinstance(exc, PermissionError) or "Permission denied" in str(exc):
        remedy = "add yourself to the group `docker` (`sudo usermod -aG docker $USER`, then log in again)"
        return EngineUnavailable("the Docker engine may not be used by this user", remedy=remedy)
    return EngineUnavailable(
        f"the Docker engine does not answer ({exc or type(exc).__name__})",
        remedy="start it (`sudo systemctl start docker`), or set DOCKER_HOST to where it listens",
    )


def _refusal(status: int, answer: bytes) -> OperatorError:
    message = _message_of(answer) or f"HTTP status {status}"
    if "no space left on device" in message:
        return HostFull(
            f"the host's disk is full: {message}",
            remedy="free some space, e.g. `docker system prune`, or move Docker's data-root",
        )
    return DockerRefusal(status, message)


def _message_of(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace").strip()
