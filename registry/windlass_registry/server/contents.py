"""What a published package holds, read for its page, and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from windlass_registry.archive import Entry, read_archive
from windlass_registry.errors import AuthorError
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.layout import archive_path, statement_path
from windlass_registry.manifest import ActionManifest, parse_manifest
from windlass_registry.samples.manifest import Sample, read_sample
from windlass_registry.sources.packages import MANIFEST_NAMES

_KEPT: Final = 64
_LARGEST_BYTES: Final = 64_000_000
"""Packages above it are shown without their contents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A package as its page shows it. Both None: its manifest could not be read."""

    files: Mapping[str, Entry]
    action: ActionManifest | None = None
    sample: Sample | None = None

    @property
    def readme(self) -> str:
        """The text of its README; '' where it has none."""
        found = next((self.files[name] for name in self.files if name.lower() == "readme.md"), None)
        return "" if found is None else found.content.decode("utf-8", "replace")


def contents_of(entries: list[Entry]) -> Contents:
    """The contents of checked entries."""
    files = {entry.name: entry for entry in entries}
    name = next((name for name in MANIFEST_NAMES if name in files), None)
    try:
        if name is not None:
            return Contents(files=files, action=parse_manifest(files[name].content, path=name))
        return Contents(files=files, sample=read_sample(entries, shown_as=""))
    except AuthorError:
        return Contents(files=files)


class PackageContents:
    """Reads packages of a registry's folder by digest. Safe to use from several threads."""

    def __init__(self, folder: RegistryFolder) -> None:
        self._folder = folder
        self._mutex = Lock()
        self._kept: OrderedDict[str, Contents] = OrderedDict()

    def read(self, digest: str, *, size_bytes: int) -> Contents:
        """The contents; nothing in them where the package is too large to show, or damaged."""
        with self._mutex:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        found = self._load(digest) if size_bytes <= _LARGEST_BYTES else Contents(files={})
        with self._mutex:
            self._kept[digest] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def statement(self, digest: str) -> bytes | None:
        """A release's provenance, signed."""
        return self._folder.read(statement_path(digest))

    def _load(self, digest: str) -> Contents:
        archive = self._folder.read(archive_path(digest))
        try:
            return Contents(files={}) if archive is None else contents_of(read_archive(archive))
        except AuthorError:
            return Contents(files={})
