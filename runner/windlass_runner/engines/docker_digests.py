"""Which image a name means, without pulling it: what lies in the engine, or what its registry says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from windlass_registry.lock import ImagePin
from windlass_runner.engines.base import EngineUnavailable, ImageUnavailable
from windlass_runner.engines.docker_connection import CALL_TIMEOUT_S, DockerConnection, DockerRefusal
from windlass_runner.engines.docker_images import split_reference

_PING_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """What a name is pinned to, and what a person should know of that."""

    pin: ImagePin
    note: str | None = None


class DockerDigests:
    """Looks names up. Safe to use from several threads."""

    def __init__(self, environment: Mapping[str, str], *, limit_s: float | None = None) -> None:
        """`environment`: as of `DockerEngine`. `limit_s`: how long all questions may take together, from now
        on; who has not answered then does not answer. None: as long as each takes."""
        self._connection = DockerConnection(environment, opening_s=limit_s)
        self._end = None if limit_s is None else time.monotonic() + limit_s

    def look_up(self, reference: str, *, is_newest: bool = False) -> KnownImage:
        """The image that runs under this name here; with `is_newest`, that its registry has now.

        An image that was built on this host is never looked for elsewhere: a stranger's could have its name.

        Raises:
            ImageUnavailable: neither the engine nor the registry has it, or the registry does not answer.
            EngineUnavailable: the engine does not answer.
        """
        local_id, here = self._here(reference)
        if local_id is not None and here is None:
            note = "only this machine has it: pinned by its id, which no other machine can run"
            return KnownImage(pin=ImagePin(local_id=local_id), note=note)
        if here is not None and not is_newest:
            return KnownImage(pin=ImagePin(digest=here))
        try:
            return KnownImage(pin=ImagePin(digest=self._in_registry(reference)))
        except ImageUnavailable as error:
            if here is None:
                raise
            note = f"its registry cannot be asked ({error.reason}): pinned to what lies here"
            return KnownImage(pin=ImagePin(digest=here), note=note)

    def close(self) -> None:
        """Close connections."""
        self._connection.close()

    def _here(self, reference: str) -> tuple[str | None, str | None]:
        """The id of the image in the engine, and its digest in the registry that it was pulled from."""
        try:
            found = self._connection.call(
                "GET", f"/images/{reference}/json", timeout_s=self._left_s(reference) or CALL_TIMEOUT_S
            )
        except DockerRefusal as error:
            if error.status == 404:
                return None, None
            raise ImageUnavailable(reference, error.message) from error
        start = f"{split_reference(reference)[0]}@"
        digests = (str(each) for each in found.get("RepoDigests") or ())
        return str(found["Id"]), next((each for each in digests if each.startswith(start)), None)

    def _in_registry(self, reference: str) -> str:
        try:
            digest = self._connection.registry_digest(reference, timeout_s=self._left_s(reference))
        except DockerRefusal as error:
            raise ImageUnavailable(reference, f"its registry says: {error.message}") from error
        except EngineUnavailable as error:
            wait_s = CALL_TIMEOUT_S if self._end is None else _PING_S
            self._connection.call("GET", "/_ping", timeout_s=wait_s)  # if it does, it was the registry
            raise ImageUnavailable(reference, "its registry does not answer") from error
        return f"{split_reference(reference)[0]}@{digest}"

    def _left_s(self, reference: str) -> float | None:
        """How long the next answer may take. Raises ImageUnavailable where the time is over."""
        if self._end is None:
            return None
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise ImageUnavailable(reference, "there was no answer in time")
        return left_s
