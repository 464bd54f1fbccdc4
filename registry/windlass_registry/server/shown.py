"""What the pages show, as values: a package of the registry and a built-in one look the same from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from windlass_registry.advisories import Advisory
from windlass_registry.measurements import Measured
from windlass_registry.server.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A package in a list."""

    name: str
    """With its namespace; built-in ones have none."""
    path: str
    """Of its page, below the registry's address."""
    kind: str
    summary: str
    version: str
    badge: str | None = None
    is_yanked: bool = False
    is_deprecated: bool = False
    notice: str | None = None
    """The severity of the worst security notice of its newest release."""
    downloads: int = 0
    picture: str | None = None
    """Where the picture of that version is, below the registry's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRelease:
    """One release of a package."""

    version: str
    digest: str
    size_bytes: int = 0
    published: datetime | None = None
    notes: str = ""
    yanked: str | None = None
    deprecated: str | None = None
    """What to use instead, or why."""
    advisories: tuple[Advisory, ...] = ()
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOrigin:
    """Where a release was made, as far as a signature that holds says so."""

    publisher: str
    repository: str | None
    commit: str | None
    is_dirty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPackage:
    """One release of a package, with all that stands around it."""

    card: Card
    release: ShownRelease
    releases: tuple[ShownRelease, ...]
    """All, newest first."""
    contents: Contents
    origin: ShownOrigin | None = None
    subscribers: int = 0
    fingerprints: tuple[str, ...] = ()
    """Of the keys that may sign it."""

    @property
    def uses(self) -> str:
        """The line to copy."""
        return f"{self.card.name}@v{self.release.version.partition('.')[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGallery:
    """The first page, or a search."""

    cards: tuple[Card, ...]
    text: str = ""
    kind: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many there are of each kind, whatever was asked for."""
