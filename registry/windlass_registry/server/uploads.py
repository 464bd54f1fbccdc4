"""Archives on their way in: written beside the registry until a publication names them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from windlass_registry.errors import OperatorError
from windlass_registry.server.problems import HttpProblem, unavailable
from windlass_registry.versions import Digest, VersionError


class Uploads:
    """Whole archives by digest in a private folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, largest_bytes: int, most_bytes: int, kept_s: float) -> None:
        self._folder = folder
        self._largest_bytes = largest_bytes
        self._most_bytes = most_bytes
        self._kept_s = kept_s

    async def take(self, digest: str, chunks: AsyncIterator[bytes]) -> int:
        """Read an archive; gives its size. Kept only where its bytes are those of the digest.

        Raises:
            HttpProblem: 422 other bytes, 413 too many, 503 where too much waits for its publication.
            OperatorError: no room.
        """
        place = self._place(digest)
        part = self._folder / f".{secrets.token_hex(8)}.part"
        found, size = hashlib.sha256(), 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = sum(each.st_size for _, each in self._waiting())
            with part.open("xb") as stream:
                async for chunk in chunks:
                    size += len(chunk)
                    if held + size > self._most_bytes:
                        remedy = "publish what was sent, or send it again later"
                        raise unavailable("too much waits for its publication", remedy=remedy)
                    if size > self._largest_bytes:
                        raise HttpProblem(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                            f"an archive may have {self._largest_bytes:,} bytes here",
                            why="size",
                        )
                    found.update(chunk)
                    stream.write(chunk)
                stream.flush()
                await run_in_threadpool(os.fsync, stream.fileno())  # webhooks share this loop
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
        for place, found in self._waiting():
            if now - found.st_mtime > self._kept_s:
                place.unlink(missing_ok=True)

    def _waiting(self) -> Iterator[tuple[Path, os.stat_result]]:
        """What is there now; others may publish it meanwhile."""
        for place in self._folder.iterdir():
            with suppress(FileNotFoundError):
                yield place, place.stat()

    def _place(self, digest: str) -> Path:
        try:
            return self._folder / Digest.parse(digest).text.removeprefix("sha256:")
        except VersionError as error:
            raise HttpProblem(HTTPStatus.NOT_FOUND, str(error)) from error
