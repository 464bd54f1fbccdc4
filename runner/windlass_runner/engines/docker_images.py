"""Images in a Docker engine: is it here, else pull it, else say why it cannot be had."""

from __future__ import annotations

import threading
from typing import Any

from windlass_runner.engines.base import EngineUnavailable, ImageFacts, ImageUnavailable
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal

_REMEDIES = (
    # what the engine says, what we call it, what helps
    (
        ("no such host", "dial tcp", "connection refused", "i/o timeout", "TLS handshake"),
        "its registry cannot be reached",
        "check the network, or bring the image to this host with `docker load` or `docker build`",
    ),
    (
        ("denied", "unauthorized", "authentication required", "no basic auth"),
        "its registry refuses it, or there is no such image",
        "check the name; for a private image run `docker login` as the user of Windlass",
    ),
    (
        ("manifest unknown", "not found", "does not exist", "repository name"),
        "its registry has no such image",
        "check the name and the tag",
    ),
    (
        ("invalid reference format", "no matching manifest"),
        "its name or platform does not fit",
        "write `name:tag` or `name@sha256:…`, for the architecture of this host",
    ),
)


class DockerImages:
    """Which images this process has seen. Safe to use from several threads; one thread pulls."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._pulling: dict[str, threading.Lock] = {}
        self._known: dict[str, ImageFacts] = {}
        self._entrypoints: dict[str, tuple[str, ...]] = {}

    def fetch(self, reference: str) -> ImageFacts:
        """What the image is, pulled where it is not here; asked of the engine once."""
        with self._lock:
            if (known := self._known.get(reference)) is not None:
                return known
            pulling = self._pulling.setdefault(reference, threading.Lock())
        with pulling:
            found = self._inspect(reference)
            if found is None:
                self._pull(reference)
                found = self._inspect(reference)
            if found is None:
                raise ImageUnavailable(reference, "the engine pulled it and does not know it")
            digest = (found.get("RepoDigests") or [found["Id"]])[0]
            facts = ImageFacts(reference=reference, digest=str(digest))
            with self._lock:
                self._known[reference] = facts
                self._entrypoints[reference] = tuple((found.get("Config") or {}).get("Entrypoint") or ())
            return facts

    def entrypoint(self, reference: str) -> tuple[str, ...]:
        """The image's own entrypoint."""
        self.fetch(reference)
        with self._lock:
            return self._entrypoints.get(reference, ())

    def forget(self, reference: str) -> None:
        """Ask the engine again next time: it said that it has no such image."""
        with self._lock:
            self._known.pop(reference, None)

    def _inspect(self, reference: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._connection.call("GET", f"/images/{reference}/json")
        except DockerRefusal as exc:
            if exc.status == 404:
                return None
            raise _unavailable(reference, exc.message) from exc
        return found

    def _pull(self, reference: str) -> None:
        repository, tag = _split(reference)
        try:
            for progress in self._connection.pull(repository, tag):
                if "error" in progress:
                    raise _unavailable(reference, str(progress["error"]))
        except DockerRefusal as exc:
            raise _unavailable(reference, exc.message) from exc
        except EngineUnavailable as exc:
            self._connection.call("GET", "/_ping")  # still there: then it was the pull that broke
            raise _unavailable(reference, exc.message) from exc


def _split(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest). Without a tag the engine would pull every tag there is."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, colon, tag = reference.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return reference, "latest"


def _unavailable(reference: str, message: str) -> ImageUnavailable:
    for signs, reason, remedy in _REMEDIES:
        if any(sign in message for sign in signs):
            return ImageUnavailable(reference, f"{reason} ({message})", remedy=remedy)
    return ImageUnavailable(reference, message)
