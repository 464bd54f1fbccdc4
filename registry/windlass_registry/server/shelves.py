"""All that is published in a registry kept here, as values: read again when it has changed, and then only
the namespaces that did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.hosting.search_index import SearchIndex
from windlass_registry.layout import INDEX, TIMESTAMP
from windlass_registry.releases import ReleaseFacts
from windlass_registry.trust import roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One namespace's packages: the releases of each, newest first."""

    version: int
    packages: Mapping[str, tuple[ReleaseFacts, ...]]
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The registry at one moment."""

    index: SearchIndex
    shelves: Mapping[str, Shelf]
    badges: Mapping[str, str]
    by_digest: Mapping[str, ReleaseFacts] = field(repr=False)

    def releases(self, name: str) -> tuple[ReleaseFacts, ...]:
        """The releases of a package, newest first; none for an unknown name."""
        shelf = self.shelves.get(name.partition("/")[0])
        return () if shelf is None else shelf.packages.get(name, ())


class Shelves:
    """Gives the stock of a registry's folder. Safe to use from several threads."""

    def __init__(self, folder: RegistryFolder) -> None:
        self._folder = folder
        self._mutex = Lock()
        self._mark: tuple[int, int, int] | None = None
        self._stock: Stock | None = None

    def now(self) -> Stock:
        """What is published now.

        Raises:
            OperatorError: there is no registry in the folder, or it is damaged.
        """
        with self._mutex:
            mark = self._changed_at()
            if self._stock is None or mark is None or mark != self._mark:
                self._stock, self._mark = self._read(), mark
            return self._stock

    def _changed_at(self) -> tuple[int, int, int] | None:
        try:
            found = (self._folder.folder / TIMESTAMP).stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> Stock:
        state = self._folder.roles()
        known = self._stock.shelves if self._stock is not None else {}
        shelves: dict[str, Shelf] = {}
        for namespace in state.namespaces():
            version = state.versions.get(roles.releases_role(namespace), 0)
            before = known.get(namespace)
            if before is not None and before.version == version:
                shelves[namespace] = before
            else:
                role = state.role(roles.releases_role(namespace))
                facts = roles.releases_of(role).values() if role is not None else ()
                shelves[namespace] = _shelf(version, facts)
        by_digest = {
            facts.digest: facts
            for shelf in shelves.values()
            for releases in shelf.packages.values()
            for facts in releases
        }
        return Stock(
            index=SearchIndex.load(self._folder.read(INDEX), state),
            shelves=shelves,
            badges=roles.badges_of(state.targets),
            by_digest=by_digest,
        )


def _shelf(version: int, facts: Iterable[ReleaseFacts]) -> Shelf:
    packages: dict[str, list[ReleaseFacts]] = {}
    for one in facts:
        packages.setdefault(one.name, []).append(one)
    for releases in packages.values():
        releases.sort(key=lambda one: one.version, reverse=True)
    size_bytes = sum(one.size_bytes for releases in packages.values() for one in releases)
    return Shelf(
        version=version,
        packages={name: tuple(releases) for name, releases in packages.items()},
        size_bytes=size_bytes,
    )
