"""Images in a Docker engine: is it here, else pull it, else say why it cannot be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_runner.engines.base import (
    EngineUnavailable,
    ImageBuild,
    ImageFacts,
    ImageUnavailable,
    PullProgress,
)
from windlass_runner.engines.docker_builds import DockerBuilds
from windlass_runner.engines.docker_connection import DockerConnection, DockerRefusal

_LISTEN_S: Final = 0.5
"""How often who waits for a pull hears of it, and may give up."""
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


@dataclass(slots=True)
class _Pull:
    """A pull that goes on, in a thread of its own."""

    progress: PullProgress = field(default_factory=PullProgress)
    error: Exception | None = None
    has_ended: threading.Event = field(default_factory=threading.Event)


class DockerImages:
    """Images by name. Safe to use from several threads; an image is pulled once for all that want it."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._pulls: dict[str, _Pull] = {}
        self._entrypoints: dict[str, tuple[str, ...]] = {}
        self._builds = DockerBuilds(connection)

    def fetch(
        self, reference: str, *, on_pull: Callable[[PullProgress], None] = lambda _progress: None
    ) -> ImageFacts:
        """What the image is, pulled where it is not here."""
        found = self._inspect(reference) or self._pulled(reference, on_pull)
        with self._lock:
            self._entrypoints[reference] = tuple((found.get("Config") or {}).get("Entrypoint") or ())
        return ImageFacts(reference=reference, digest=_digest(reference, found))

    def find(self, reference: str) -> ImageFacts | None:
        """What the image is that lies here under that name; None: none does."""
        found = self._inspect(reference)
        return None if found is None else ImageFacts(reference=reference, digest=_digest(reference, found))

    def build(self, build: ImageBuild, *, on_line: Callable[[str | None], None]) -> ImageFacts:
        """What the image is, built where it is not here."""
        if self._inspect(build.reference) is None:
            self._builds.build(build, on_line=on_line)
        return self.fetch(build.reference)

    def entrypoint(self, reference: str) -> tuple[str, ...]:
        """The image's own entrypoint."""
        if reference not in self._entrypoints:
            self.fetch(reference)
        with self._lock:
            return self._entrypoints[reference]

    def _pulled(self, reference: str, on_pull: Callable[[PullProgress], None]) -> dict[str, Any]:
        """Have it pulled, and wait for that with everybody else who does."""
        with self._lock:
            pull = self._pulls.get(reference)
            if pull is None:
                pull = self._pulls[reference] = _Pull()
                words = (reference, pull)
                threading.Thread(target=self._carry_out, args=words, name="pull", daemon=True).start()
        on_pull(pull.progress)
        while not pull.has_ended.wait(_LISTEN_S):
            on_pull(pull.progress)
        if pull.error is not None:
            raise pull.error
        found = self._inspect(reference)
        if found is None:
            raise ImageUnavailable(reference, "the engine pulled it and does not know it")
        return found

    def _carry_out(self, reference: str, pull: _Pull) -> None:
        try:
            self._pull(reference, pull)
        except Exception as error:
            pull.error = error
        finally:
            with self._lock:
                del self._pulls[reference]
            pull.has_ended.set()

    def _inspect(self, reference: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._connection.call("GET", f"/images/{reference}/json")
        except DockerRefusal as exc:
            if exc.status == 404:
                return None
            raise _unavailable(reference, exc.message) from exc
        return found

    def _pull(self, reference: str, pull: _Pull) -> None:
        if reference.startswith("sha256:"):
            remedy = "bring it back with `docker load` or `docker build`"
            raise ImageUnavailable(reference, "it was removed from this host", remedy=remedy)
        layers: dict[str, tuple[int, int]] = {}
        try:
            for message in self._connection.pull(*split_reference(reference)):
                if "error" in message:
                    raise _unavailable(reference, str(message["error"]))
                _note_layer(message, layers)
                done, total = (sum(column) for column in zip((0, 0), *layers.values(), strict=True))
                pull.progress = PullProgress(done_bytes=done, total_bytes=total)
        except DockerRefusal as exc:
            raise _unavailable(reference, exc.message) from exc
        except EngineUnavailable as exc:
            self._connection.call("GET", "/_ping")  # still there: then it was the pull that broke
            raise _unavailable(reference, exc.message) from exc


def _note_layer(message: Mapping[str, Any], layers: dict[str, tuple[int, int]]) -> None:
    """Take over how far a layer's download is. Its extraction tells other figures: these are left."""
    name, figures = str(message.get("id")), message.get("progressDetail") or {}
    if message.get("status") == "Downloading" and "total" in figures:
        layers[name] = (int(figures["current"]), int(figures["total"]))
    elif message.get("status") == "Download complete" and name in layers:
        layers[name] = (layers[name][1], layers[name][1])


def _digest(reference: str, found: Mapping[str, Any]) -> str:
    """The digest in the repository that was named; an image may stand in several."""
    digests = [str(digest) for digest in found.get("RepoDigests") or ()]
    own = [digest for digest in digests if digest.startswith(f"{split_reference(reference)[0]}@")]
    return (*own, *digests, str(found["Id"]))[0]


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest, beside which a tag says nothing). Without a tag the engine would pull
    every tag there is."""
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, "latest"
    return head, digest or tag


def _unavailable(reference: str, message: str) -> ImageUnavailable:
    for signs, reason, remedy in _REMEDIES:
        if any(sign in message for sign in signs):
            return ImageUnavailable(reference, f"{reason} ({message})", remedy=remedy)
    return ImageUnavailable(reference, message)
