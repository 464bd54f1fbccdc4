"""All that is published in a registry kept here, as values: read again when it has changed, and then only
the namespaces that did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.hosting.search_index import SearchIndex
from windlass_registry.layout import INDEX, TIMESTAMP
from windlass_registry.releases import ReleaseFacts
from windlass_registry.trust import roles
from windlass_registry.trust.hosted import HostedRoles
from windlass_registry.trust.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One namespace's packages: the releases of each, newest first."""

    version: int
    packages: Mapping[str, tuple[ReleaseFacts, ...]]
    size_bytes: int
    keys: tuple[Key, ...] = ()
    """The keys that sign its releases, and those that once did."""


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
        self._mark: str | None = None
        self._stock: Stock | None = None

    def now(self) -> Stock:
        """What is published now.

        Raises:
            OperatorError: there is no registry, or it is damaged.
            UpstreamError: the store of its files does not answer.
        """
        mark = self._marked()  # before the lock: a store takes its time, and one need not wait for another
        with self._mutex:
            if self._stock is None or mark is None or mark != self._mark:
                self._stock, self._mark = self._read(), mark
            return self._stock

    def _marked(self) -> str | None:
        found = self._folder.files.find(TIMESTAMP)
        return None if found is None else found.tag

    def _read(self) -> Stock:
        state = self._folder.roles()
        known = self._stock.shelves if self._stock is not None else {}
        shelves: dict[str, Shelf] = {}
        for namespace in state.namespaces():
            version = state.versions.get(roles.releases_role(namespace), 0)
            before = known.get(namespace)
            is_same = before is not None and before.version == version
            shelves[namespace] = before if before is not None and is_same else _shelf(state, namespace)
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


def _shelf(state: HostedRoles, namespace: str) -> Shelf:
    name = roles.releases_role(namespace)
    listed, owner = state.role(name), state.role(namespace)
    packages: dict[str, list[ReleaseFacts]] = {}
    for facts in roles.releases_of(listed).values() if listed is not None else ():
        packages.setdefault(facts.name, []).append(facts)
    for releases in packages.values():
        releases.sort(key=lambda facts: facts.version, reverse=True)
    keys: tuple[Key, ...] = ()
    if owner is not None:
        former = (each.key for each in roles.former_keys_of(owner).values())
        keys = (*roles.keys_of(owner, name).values(), *former)
    return Shelf(
        version=state.versions.get(name, 0),
        packages={name: tuple(releases) for name, releases in packages.items()},
        size_bytes=sum(facts.size_bytes for releases in packages.values() for facts in releases),
        keys=keys,
    )
