"""Archives on their way in: written beside the registry until a publication names them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.server.problems import HttpProblem
from windlass_registry.versions import Digest, VersionError


class Uploads:
    """Whole archives by digest in a private folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, largest_bytes: int, kept_s: float) -> None:
        self._folder = folder
        self._largest_bytes = largest_bytes
        self._kept_s = kept_s

    async def take(self, digest: str, chunks: AsyncIterator[bytes]) -> int:
        """Read an archive; gives its size. Kept only where its bytes are those of the digest.

        Raises:
            HttpProblem: 422 other bytes, 413 too many.
            OperatorError: no room.
        """
        place = self._place(digest)
        part = self._folder / f".{secrets.token_hex(8)}.part"
        found, size = hashlib.sha256(), 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with part.open("xb") as stream:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._largest_bytes:
                        raise HttpProblem(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                            f"an archive may have {self._largest_bytes:,} bytes here",
                            why="size",
                        )
                    found.update(chunk)
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            if f"sha256:{found.hexdigest()}" != digest:
                raise HttpProblem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    f"these bytes are sha256:{found.hexdigest()}, not {digest}",
                    remedy="send it again",
                    why="archive",
                )
            part.rename(place)
        except OSError as error:
            remedy = "tell the registry's owner to make room"
            raise OperatorError(f"the archive cannot be kept: {error.strerror}", remedy=remedy) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def read(self, digest: str) -> bytes | None:
        """An archive that was sent; None where it was not."""
        try:
            return self._place(digest).read_bytes()
        except FileNotFoundError:
            return None

    def forget(self, digest: str) -> None:
        """It has its place in the registry now."""
        self._place(digest).unlink(missing_ok=True)

    def sweep(self, *, now: float) -> None:
        """Remove what nobody published in time, and what a killed process left."""
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            if now - place.stat().st_mtime > self._kept_s:
                place.unlink(missing_ok=True)

    def _place(self, digest: str) -> Path:
        try:
            return self._folder / Digest.parse(digest).text.removeprefix("sha256:")
        except VersionError as error:
            raise HttpProblem(HTTPStatus.NOT_FOUND, str(error)) from error
