"""Packages as the pages show them: those of the registry, and those that come with Windlass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from windlass_registry.advisories import worst
from windlass_registry.archive import read_folder
from windlass_registry.errors import OperatorError
from windlass_registry.index import Index
from windlass_registry.releases import ReleaseFacts, newest_of
from windlass_registry.samples.releases import BuiltinSamples, SampleRelease
from windlass_registry.server.contents import PackageContents, contents_of
from windlass_registry.server.counting import Counting
from windlass_registry.server.shelves import Shelves, Stock
from windlass_registry.server.shown import Card, ShownOrigin, ShownPackage, ShownRelease
from windlass_registry.trust.keys import fingerprint
from windlass_registry.trust.statements import read_statement

BUILTIN: Final = "builtin"


class Showing:
    """Reads what the pages show. Safe to use from several threads."""

    def __init__(
        self,
        shelves: Shelves,
        contents: PackageContents,
        counting: Counting,
        *,
        actions: Index,
        samples: BuiltinSamples | None,
    ) -> None:
        self._shelves = shelves
        self._contents = contents
        self._counting = counting
        self._actions = actions
        self._samples = samples
        self._builtin_entries: list[Mapping[str, Any]] | None = None

    def entries(self) -> list[Mapping[str, Any]]:
        """All packages, as the index for searching has them."""
        if self._builtin_entries is None:
            self._builtin_entries = self._read_builtin()
        return [*self._builtin_entries, *self._shelves.now().index.packages.values()]

    def _read_builtin(self) -> list[Mapping[str, Any]]:
        """What came with the program: read once, for a search comes with each letter that somebody types."""
        builtin: list[Mapping[str, Any]] = []
        for name in self._actions.names():
            release = self._actions.releases(name)[0]
            about = release.load().manifest.description
            builtin.append(_builtin_entry(name, "action", str(release.version), about))
        for name in self._samples.names() if self._samples is not None else ():
            for sample in self._samples.releases(name) if self._samples is not None else ():
                builtin.append(_sample_entry(name, sample))
        return builtin

    def card(self, entry: Mapping[str, Any]) -> Card:
        """An entry as it stands in a list."""
        name = str(entry["name"])
        return Card(
            name=name,
            path=str(entry.get("path") or f"/{name}"),
            kind=str(entry["kind"]),
            summary=str(entry["summary"]),
            version=str(entry["version"]),
            badge=entry.get("badge"),
            is_yanked=bool(entry.get("yanked")),
            is_deprecated=bool(entry.get("deprecated")),
            notice=entry.get("notice"),
            downloads=self._counting.total(name),
            picture=_picture(entry),
        )

    def releases(self, name: str | None) -> tuple[ReleaseFacts, ...]:
        """The releases of one package, or of all."""
        stock = self._shelves.now()
        if name is not None:
            return stock.releases(name)
        shelves = (shelf.packages.values() for shelf in stock.shelves.values())
        return tuple(facts for packages in shelves for releases in packages for facts in releases)

    def package(self, name: str, version: str | None) -> ShownPackage | None:
        """One release (the newest where none is named); None where there is none."""
        namespace, _, inner = name.partition("/")
        if namespace == BUILTIN:
            return self._builtin(inner, version)
        stock = self._shelves.now()
        releases = stock.releases(name)
        chosen = [facts for facts in releases if str(facts.version) == version] if version else releases
        if not chosen:
            return None
        facts = chosen[0] if version else newest_of(releases)
        return self._published(stock, facts, releases)

    def _published(
        self, stock: Stock, facts: ReleaseFacts, releases: tuple[ReleaseFacts, ...]
    ) -> ShownPackage:
        namespace = facts.name.partition("/")[0]
        card = self.card({**stock.index.packages.get(facts.name, {}), **_entry_of(facts)})
        return ShownPackage(
            card=card,
            release=_shown_release(facts),
            releases=tuple(map(_shown_release, releases)),
            contents=self._contents.read(facts.digest, size_bytes=facts.size_bytes),
            origin=self._origin(stock, facts),
            subscribers=self._counting.total(facts.name, "subscribe"),
            fingerprints=tuple(fingerprint(key.keyid) for key in stock.shelves[namespace].keys[:4]),
        )

    def _origin(self, stock: Stock, facts: ReleaseFacts) -> ShownOrigin | None:
        content = self._contents.statement(facts.statement)
        if content is None:
            return None
        keys = stock.shelves[facts.name.partition("/")[0]].keys
        try:
            found = read_statement(content, keys, threshold=1, shown=facts.path)
        except OperatorError:
            return None
        return ShownOrigin(
            publisher=found.publisher,
            repository=found.repository,
            commit=found.commit,
            is_dirty=found.is_dirty,
        )

    def _builtin(self, name: str, version: str | None) -> ShownPackage | None:
        for action in self._actions.releases(name):
            package = action.load()
            entry = _builtin_entry(name, "action", str(action.version), package.manifest.description)
            return self._as_shown(entry, action.digest, package.folder, version)
        samples = self._samples
        for sample in samples.releases(name) if samples is not None else ():
            assert samples is not None
            entry = _sample_entry(name, sample)
            return self._as_shown(entry, sample.digest, samples.folder(name), version)
        return None

    def _as_shown(
        self, entry: Mapping[str, Any], digest: str, folder: Path, version: str | None
    ) -> ShownPackage | None:
        release = ShownRelease(version=entry["version"], digest=digest)
        if version is not None and version != release.version:
            return None
        contents = contents_of(read_folder(folder))
        return ShownPackage(card=self.card(entry), release=release, releases=(release,), contents=contents)


def _builtin_entry(name: str, kind: str, version: str, summary: str) -> dict[str, Any]:
    path = f"/{BUILTIN}/{name}"
    return {
        "name": name,
        "kind": kind,
        "summary": summary,
        "version": version,
        "badge": "official",
        "path": path,
    }


def _sample_entry(name: str, sample: SampleRelease) -> dict[str, Any]:
    entry = _builtin_entry(name, "sample", str(sample.version), sample.summary)
    return {**entry, "picture": sample.picture or None}


def _picture(entry: Mapping[str, Any]) -> str | None:
    if not entry.get("picture"):
        return None
    return f"{entry.get('path') or '/' + str(entry['name'])}/{entry['version']}/picture"


def _entry_of(facts: ReleaseFacts) -> dict[str, Any]:
    notice = worst(facts.advisories)
    return {
        "name": facts.name,
        "kind": facts.kind,
        "summary": facts.summary,
        "picture": facts.picture or None,
        "version": str(facts.version),
        "yanked": facts.yanked is not None,
        "deprecated": facts.deprecated is not None,
        "notice": notice.severity if notice is not None else None,
    }


def _shown_release(facts: ReleaseFacts) -> ShownRelease:
    deprecated = facts.deprecated
    instead = None
    if deprecated is not None:
        instead = f"use {deprecated.successor}" if deprecated.successor else ""
        instead = f"{instead} {deprecated.reason}".strip()
    return ShownRelease(
        version=str(facts.version),
        digest=facts.digest,
        size_bytes=facts.size_bytes,
        published=facts.published,
        notes=facts.notes,
        yanked=facts.yanked.reason if facts.yanked is not None else None,
        deprecated=instead,
        advisories=facts.advisories,
        measured=facts.measured,
    )
