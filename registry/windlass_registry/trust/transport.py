"""Reading a registry's files: from a folder, or over HTTP. Bounded, and nothing is believed here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from windlass_registry.errors import OperatorError, UpstreamError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from windlass_registry.hosting.public_files import PublicFiles

_CHUNK: Final = 1 << 18
_CONNECT_S: Final = 10.0
_READ_S: Final = 30.0
_GRACE_S: Final = 60.0
_LEAST_BYTES_PER_S: Final = 4096
_VERSIONED: Final = re.compile(r"\A[0-9]+\.")


class MissingFile(Exception):
    """The registry has no such file. Whether that is wrong, the caller knows."""


class Transport(Protocol):
    """Gives the files of a registry by their path, as `metadata/timestamp.json`. Safe in several threads."""

    address: str
    """Where it reads, for people."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of a file, piece by piece.

        Raises:
            MissingFile: there is none.
            UpstreamError: the registry does not answer.
            OperatorError: it answers something that will not change by waiting.
        """
        ...


def read_bounded(transport: Transport, path: str, *, at_most: int) -> bytes:
    """A whole file. Raises as `Transport.chunks`; OperatorError where it is longer."""
    parts: list[bytes] = []
    left = at_most
    for chunk in transport.chunks(path):
        left -= len(chunk)
        if left < 0:
            raise OperatorError(f"{transport.address}/{path} is longer than {at_most:,} bytes")
        parts.append(chunk)
    return b"".join(parts)


def open_transport(address: str) -> Transport:
    """What reads `https://…`, `http://…`, `oci://…`, `file://…` or a folder.

    Raises:
        OperatorError: it is neither.
    """
    scheme = urlsplit(address).scheme if "://" in address else ""
    if scheme in ("http", "https"):
        return HttpTransport(address)
    if scheme in ("oci", "oci+http"):
        from windlass_registry.sources.oci import OciRepository, OciTransport

        return OciTransport(OciRepository(address))
    if scheme not in ("", "file"):
        raise OperatorError(f"'{address}' is no address of a registry", remedy="write https://… or a folder")
    from windlass_registry.hosting.store_settings import load_store

    folder = Path(address.removeprefix("file://"))
    store = load_store(folder)
    if store is None:
        return FolderTransport(folder)
    from windlass_registry.hosting.folder import open_files

    return StoreTransport(open_files(folder, store))


class FolderTransport:
    """Reads a registry's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = str(folder)

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        try:
            with (self.folder / path).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise MissingFile(path) from error
        except OSError as error:
            raise OperatorError(f"cannot read the registry {self.folder}: {error}") from error


class StoreTransport:
    """Reads a registry whose files this machine keeps elsewhere: its folder says where."""

    def __init__(self, files: PublicFiles) -> None:
        self.address = files.address
        self._files = files

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        found = self._files.open(path)
        if found is None:
            raise MissingFile(path)
        yield from found.chunks


class HttpTransport:
    """Reads a registry that a web server gives out. A server that trickles is let go of after a while:
    TUF calls that attack slow retrieval."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        import urllib3

        self.address = url.rstrip("/")
        self._monotonic = monotonic
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            retries=urllib3.Retry(
                total=3, backoff_factor=0.2, status_forcelist=(502, 503, 504), raise_on_status=False
            ),
        )

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        from urllib3.exceptions import HTTPError

        url = f"{self.address}/{path}"
        try:
            answer = self._pool.request("GET", url, preload_content=False, decode_content=False)
            try:
                if answer.status in (403, 404, 410):
                    raise MissingFile(path)
                if answer.status != 200:
                    raise UpstreamError(f"the registry answers {answer.status} for {url}")
                yield from self._body(answer)
            finally:
                answer.close()  # a reader may have had enough before the end
                answer.release_conn()
        except HTTPError as error:
            reason = str(getattr(error, "reason", error)).rpartition(": ")[2]
            raise UpstreamError(f"the registry {self.address} does not answer: {reason}") from error

    def _body(self, answer: BaseHTTPResponse) -> Iterator[bytes]:
        began, size = self._monotonic(), 0
        while chunk := answer.read1(_CHUNK, decode_content=False):
            yield chunk
            size += len(chunk)
            if self._monotonic() - began > _GRACE_S + size / _LEAST_BYTES_PER_S:
                raise UpstreamError(f"the registry {self.address} is too slow: {size:,} bytes came")


class CacheTransport:
    """Reads what a client has believed last, where there is no network. `cache` is the client's folder.

    TUF's client keeps each role once, without its version in its name.
    """

    def __init__(self, cache: Path, *, address: str) -> None:
        self._cache = cache
        self.address = f"{address} (as it was read last)"

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        folder, _, name = path.rpartition("/")
        role = _VERSIONED.sub("", name)
        kept = self._cache / (role if folder == "metadata" else path)
        if role == "root.json" or not kept.is_file():
            raise MissingFile(path)
        yield kept.read_bytes()
