"""What was believed of a namespace's releases, kept so that few of many are read fast.

Signed lists hold every release of a namespace and have to be read and checked whole: half a second for
10,000. Once that was done, it is written down here under the versions of the lists that said so, a line for
each name, newest releases first; and only the releases that somebody looks at are read again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar, overload

from windlass_registry.hosting.files import write_whole
from windlass_registry.index import Release
from windlass_registry.releases import ReleaseFacts, custom_of, parse_release

_FORMAT: Final = "windlass-facts-2"
"""Counted up when releases are read otherwise: a book of another kind is written anew."""


class FactsBook:
    """A namespace's releases in one file. Immutable; safe to use from several threads."""

    def __init__(self, lines: Mapping[bytes, bytes]) -> None:
        self._lines = lines
        self._shelves: dict[str, Sequence[ReleaseFacts]] = {}

    @classmethod
    def load(cls, path: Path, *, key: str | None = None, now: datetime | None = None) -> FactsBook | None:
        """The book that was written under that key, and that is not out of date; without these, whichever
        was written last. None where there is none."""
        try:
            head, *lines = path.read_bytes().split(b"\n")
            form, until, found = head.decode().split(" ", 2)
            is_good = form == _FORMAT and lines.pop() == b"end" and (key is None or found == key)
            if not is_good or (now is not None and now >= datetime.fromisoformat(until)):
                return None
        except (OSError, ValueError, IndexError):
            return None
        pairs = (line.partition(b"\t") for line in lines)
        return cls({name: rest for name, _, rest in pairs})

    @classmethod
    def save(cls, path: Path, releases: Iterable[ReleaseFacts], *, key: str, until: datetime) -> FactsBook:
        """Write the book, whole or not at all; a disk that is full keeps nobody from going on. `until`: how
        long the lists that it was read from may be believed."""
        shelves: dict[str, list[ReleaseFacts]] = {}
        for release in releases:
            shelves.setdefault(release.name, []).append(release)
        lines = {
            name.encode(): b"\t".join(
                _entry(each) for each in sorted(found, key=lambda each: each.version, reverse=True)
            )
            for name, found in shelves.items()
        }
        head = f"{_FORMAT} {until.isoformat()} {key}".encode()
        body = [head, *(name + b"\t" + rest for name, rest in lines.items()), b"end"]
        with suppress(OSError):
            write_whole(path, b"\n".join(body))
        return cls(lines)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(name.decode() for name in self._lines))

    def facts(self, name: str) -> Sequence[ReleaseFacts]:
        """The releases of a full name, newest first; each is read when it is looked at."""
        found = self._lines.get(name.encode())
        if found is None:
            return ()
        if name not in self._shelves:
            entries = found.split(b"\t")
            self._shelves[name] = _Lazy(len(entries), lambda place: _read(entries[place]))
        return self._shelves[name]


T = TypeVar("T")


class _Lazy(Sequence[T]):
    """Items that are made one by one, when they are looked at."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count = count
        self._make = make
        self._made: dict[int, T] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(self._count)))
        place = range(self._count)[index]
        if place not in self._made:
            self._made[place] = self._make(place)
        return self._made[place]


class Releases(_Lazy[Release]):
    """Releases of facts that are perhaps not read yet."""

    def __init__(self, facts: Sequence[ReleaseFacts], make: Callable[[ReleaseFacts], Release]) -> None:
        super().__init__(len(facts), lambda place: make(facts[place]))


def _read(entry: bytes) -> ReleaseFacts:
    path, digest, size, custom = json.loads(entry)
    return parse_release(path, digest=digest, size_bytes=size, custom=custom)


def _entry(facts: ReleaseFacts) -> bytes:
    """A release without tabs and ends of lines: JSON writes them as escapes."""
    value = [facts.path, facts.digest, facts.size_bytes, custom_of(facts)]
    return json.dumps(value, separators=(",", ":")).encode()
