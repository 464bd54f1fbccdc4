"""The releases that exist, by name. Reads a name's releases only when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock as Mutex

from windlass_registry.manifest import ActionManifest
from windlass_registry.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One published version of a package. Never changes, but for `is_yanked`."""

    name: str
    version: Version
    digest: str
    manifest: ActionManifest
    folder: Path
    source: str
    is_yanked: bool = False


class Index:
    """Names and their releases, newest first. Safe to use from several threads.

    `shelves` gives, for each name, how to read its releases; that is done once, at the first use.
    """

    def __init__(self, shelves: Mapping[str, Callable[[], Iterable[Release]]]) -> None:
        self._shelves = dict(shelves)
        self._read: dict[str, tuple[Release, ...]] = {}
        self._mutex = Mutex()

    @classmethod
    def of(cls, releases: Iterable[Release]) -> Index:
        """An index of releases that are read already."""
        shelves: dict[str, list[Release]] = {}
        for release in releases:
            shelves.setdefault(release.name, []).append(release)
        return cls({name: partial(tuple, found) for name, found in shelves.items()})

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._shelves))

    def releases(self, name: str) -> tuple[Release, ...]:
        """The releases of a name, newest first, yanked ones included; none for an unknown name."""
        if name not in self._shelves:
            return ()
        with self._mutex:
            if name not in self._read:
                found = sorted(self._shelves[name](), key=lambda release: release.version, reverse=True)
                self._read[name] = tuple(found)
            return self._read[name]
