"""What becomes of a lock: every pin that comes, goes or moves, with what its publisher says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_registry.catalog import Catalog
from windlass_registry.errors import WindlassError
from windlass_registry.index import Release
from windlass_registry.lock import ImagePin, LockFile, Pin
from windlass_registry.refs import RefError, RegistryRef, parse_uses
from windlass_registry.versions import Version, VersionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One pin that differs. `before` or `after` is None where it comes or goes."""

    what: str
    """The `uses` text, or the image's name."""
    before: str | None
    after: str | None
    digest: str = ""
    releases: tuple[Release, ...] = ()
    """What was published after the old release, up to the new one, newest first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "from": self.before,
            "to": self.after,
            "digest": self.digest,
            "releases": [
                {
                    "version": str(each.version),
                    "published": each.published.isoformat() if each.published else None,
                    "notes": each.notes,
                    "yanked": each.yanked,
                    "deprecated": each.deprecated,
                    "advisories": [notice.id for notice in each.advisories],
                }
                for each in self.releases
            ],
        }


def changes_of(old: LockFile, new: LockFile, catalog: Catalog) -> tuple[Change, ...]:
    """All pins that differ: actions, then images, each by name."""
    return (*_actions(old.pins, new.pins, catalog), *_images(old.images, new.images))


def _actions(old: Mapping[str, Pin], new: Mapping[str, Pin], catalog: Catalog) -> Iterator[Change]:
    for uses in sorted({*old, *new}):
        before, after = old.get(uses), new.get(uses)
        if before == after:
            continue
        yield Change(
            what=uses,
            before=_shown(before),
            after=_shown(after),
            digest=after.digest if after is not None else "",
            releases=_between(uses, before, after, catalog),
        )


def _images(old: Mapping[str, ImagePin], new: Mapping[str, ImagePin]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield Change(
                what=name,
                before=None if before is None else short(before.reference),
                after=None if after is None else short(after.reference),
                digest=after.reference if after is not None else "",
            )


def _shown(pin: Pin | None) -> str | None:
    if pin is None:
        return None
    return pin.version or (pin.commit or pin.digest)[:12]


def short(reference: str) -> str:
    """A digest as people compare it: `sha256:` and twelve digits."""
    return "sha256:" + reference.rpartition("sha256:")[2][:12]


def _between(uses: str, before: Pin | None, after: Pin | None, catalog: Catalog) -> tuple[Release, ...]:
    """The releases between two pins; none where they cannot be told."""
    if before is None or after is None or before.version is None or after.version is None:
        return ()
    try:
        ref = parse_uses(uses)
        old, new = Version.parse(before.version), Version.parse(after.version)
        if not isinstance(ref, RegistryRef):
            return ()
        return tuple(each for each in catalog.releases(ref) if old < each.version <= new)
    except (RefError, VersionError, WindlassError):
        return ()


def change_lines(changes: Iterable[Change]) -> list[tuple[str, str, str, str]]:
    """The changes as rows: what, from, to, digest."""
    return [
        (each.what, each.before or "–", each.after or "no workflow uses it any more", _end(each))
        for each in changes
    ]


def _end(change: Change) -> str:
    is_told = change.after is None or change.after.startswith("sha256:")
    return "" if is_told else f"{change.digest[:19]}…"


def note_lines(change: Change) -> Iterator[str]:
    """What its publisher says of the releases between."""
    for release in change.releases:
        when = f" ({release.published:%Y-%m-%d})" if release.published else ""
        if (
            release.notes
            or release.yanked is not None
            or release.deprecated is not None
            or release.advisories
        ):
            yield f"{release.version}{when}"
        yield from (f"  {line}" for line in release.notes.splitlines() if line.strip())
        yield from (f"  {notice.line()}" for notice in release.advisories)
        if release.yanked is not None:
            yield f"  yanked{': ' + release.yanked if release.yanked else ''}"
        if release.deprecated is not None:
            yield f"  deprecated{': use ' + release.deprecated if release.deprecated else ''}"
