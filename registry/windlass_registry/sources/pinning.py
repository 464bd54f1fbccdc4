"""A registry of a daemon's settings: its root is fetched when it is first needed, and then kept.

What the settings name is the digest of the root, so it does not matter who gives the bytes; and a registry
that does not answer keeps no daemon from starting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from windlass_registry.errors import OperatorError, WindlassError
from windlass_registry.hosting.files import write_whole
from windlass_registry.index import Release
from windlass_registry.layout import metadata_path
from windlass_registry.sources.registry import RegistrySource

_ROOT_BYTES: Final = 512_000
Open = Callable[[bytes], RegistrySource]
Pin = Callable[[], bytes | None]
"""Gives the root; None where there is no registry, which is then as if it were empty."""


class PinningSource:
    """Implements `index.Source` for a registry whose root is not here yet. Safe in several threads."""

    def __init__(self, open_source: Open, *, pin: Pin) -> None:
        self._open = open_source
        self._pin = pin
        self._mutex = Lock()
        self._source: RegistrySource | None = None

    def names(self) -> tuple[str, ...]:
        """See `index.Source`."""
        source = self.opened()
        return source.names() if source is not None else ()

    def releases(self, name: str) -> Sequence[Release]:
        """See `index.Source`."""
        source = self.opened()
        return source.releases(name) if source is not None else ()

    def news(self, name: str) -> Sequence[Release]:
        """See `index.Source`."""
        with suppress(WindlassError):
            source = self.opened()
            return source.news(name) if source is not None else ()
        return ()

    def known(self, name: str) -> Sequence[Release]:
        """See `index.Source`."""
        source = self._source
        return source.known(name) if source is not None else ()

    def opened(self) -> RegistrySource | None:
        """The registry's own source; None where there is no registry. Raises as `Pin`."""
        with self._mutex:
            if self._source is None:
                root = self._pin()
                self._source = self._open(root) if root is not None else None
            return self._source


def pin_by_digest(address: str, digest: str, *, kept: Path) -> bytes:
    """The root with this digest: as it was kept, else from the registry, and kept from then on.

    Raises:
        TrustError: the registry begins with another.
        UpstreamError, OperatorError: it cannot be had.
    """
    from windlass_registry.trust.client import pin_root, root_digest
    from windlass_registry.trust.transport import open_transport

    try:
        content = kept.read_bytes()
        if root_digest(content) == digest:
            return content
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OperatorError(f"cannot read the root {kept}: {error}") from error
    content = pin_root(open_transport(address), expected=digest)
    try:
        write_whole(kept, content)
    except OSError as error:
        raise OperatorError(f"cannot keep the root of {address} in {kept}: {error}") from error
    return content


def own_root(folder: Path) -> bytes | None:
    """The root of a registry that is kept in a folder of ours; None where none is.

    Raises:
        UpstreamError, OperatorError: its files cannot be read.
    """
    from windlass_registry.trust.transport import MissingFile, open_transport, read_bounded

    try:
        return read_bounded(open_transport(str(folder)), metadata_path("root", 1), at_most=_ROOT_BYTES)
    except MissingFile:
        return None
