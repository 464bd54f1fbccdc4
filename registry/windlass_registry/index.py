"""The releases that exist, by name. Reads a name's releases only when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock as Mutex
from typing import Protocol

from windlass_registry.advisories import Advisory
from windlass_registry.errors import WindlassError
from windlass_registry.measurements import Measured
from windlass_registry.sources.packages import Package
from windlass_registry.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One published version of a package: what is told of it before any of it is fetched.

    Where the source is a registry, its publisher has signed all of it. Only `yanked`, `deprecated` and
    `advisories` may change after the publication.
    """

    name: str
    version: Version
    digest: str
    """The package's identity: of its canonical archive."""
    source: str
    """Where it comes from: `builtin`, or the name of a registry."""
    kind: str = "action"
    """`action`, or `sample`: a workflow to take over, which no job can use."""
    uses: tuple[str, ...] = ()
    """What it uses in turn. Its manifest has to say the same once it is here."""
    published: datetime | None = None
    """None where there is nothing to wait for: what is built in came with the program."""
    notes: str = ""
    """What its publisher says is new."""
    yanked: str | None = None
    """Why its publisher took it back; None: not yanked."""
    deprecated: str | None = None
    """What to use in its place; None: not deprecated."""
    advisories: tuple[Advisory, ...] = ()
    """Why its publisher says that it is dangerous."""
    measured: Measured | None = None
    """What its examples took; None: nobody measured it."""
    statement: str | None = None
    """The digest of the statement that says where it was made; None: there is none."""
    load: Callable[[], Package] = field(compare=False, repr=False)
    """Brings the package to this machine, compares it with `digest`, and gives it. Any thread may call it.

    Raises WrongPackage, AuthorError (it is not what a package may be), OperatorError (no room) or
    UpstreamError (its server does not answer).
    """

    @property
    def is_yanked(self) -> bool:
        """Whether its publisher took it back: ranges pass it over."""
        return self.yanked is not None


class WrongPackage(WindlassError):
    """What was fetched is not what was promised: other bytes, or another manifest. Nothing of it was kept.

    A `Release.load` raises it; whoever resolves makes a failed check of it, at the `uses`.
    """

    exit_code = 2


class Source(Protocol):
    """Where releases are found: what is built in, one registry, … Safe to use from several threads."""

    def names(self) -> Collection[str]:
        """All names that it has, for `did you mean`. May use the network."""
        ...

    def releases(self, name: str) -> Sequence[Release]:
        """The releases of a full name, newest first, yanked ones included; empty for an unknown name.

        May use the network: what it gives is as new as the source has it. May be a sequence that reads an
        item only when it is asked for. Raises UpstreamError and OperatorError.
        """
        ...

    def news(self, name: str) -> Sequence[Release]:
        """As `known`, but asked for where that is old, and the source answers. Never fails."""
        ...

    def known(self, name: str) -> Sequence[Release]:
        """As `releases`, of what this machine has learned before: never uses the network, may be old."""
        ...


class Index:
    """Names and their releases, newest first: a `Source` in memory. Safe to use from several threads.

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

    def news(self, name: str) -> tuple[Release, ...]:
        """The same: nothing is newer."""
        return self.releases(name)

    def known(self, name: str) -> tuple[Release, ...]:
        """The same: all of it is here."""
        return self.releases(name)
