"""Security notices: what a publisher says of releases that are dangerous. Pure.

A notice lies, signed, with each release that it is about (decision 0062), so that whoever reads a release
reads its notices: a mirror cannot leave them out, and a new release in the same range is not hit by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, get_args

from windlass_registry.versions import Version, VersionError, VersionRange

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""The least first."""

TITLE_CHARS: Final = 150
TEXT_CHARS: Final = 4_000
VERSIONS_CHARS: Final = 100
NOTICES_AT_MOST: Final = 20

_ID = re.compile(r"WN-[0-9a-f]{8}\Z")
_COMPARISON = re.compile(r"(<=|>=|<|>|=)\s*v?([0-9][^\s,]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One notice, as it lies with a release."""

    id: str
    """`WN-` and eight digits; the same with every release that it is about."""
    severity: Severity
    title: str
    text: str
    """What can happen, and what to do. Plain text with lines."""
    versions: str
    """Which releases its publisher meant, as they wrote it: to be read; the notice counts where it lies."""
    at: datetime

    def line(self) -> str:
        """In one line, for a warning."""
        return f"security notice {self.id} ({self.severity}, {self.versions}): {self.title}"


def make_advisory(
    name: str, *, severity: Severity, title: str, text: str, versions: str, at: datetime
) -> Advisory:
    """A notice with its id, which comes of what it says and when."""
    said = "\0".join((name, severity, title, text, versions, at.isoformat()))
    return Advisory(
        id=f"WN-{sha256(said.encode()).hexdigest()[:8]}",
        severity=severity,
        title=title,
        text=text,
        versions=versions,
        at=at,
    )


def is_id(text: str) -> bool:
    """Whether a text has the form of a notice's id."""
    return _ID.match(text) is not None


def worst(advisories: Iterable[Advisory]) -> Advisory | None:
    """The notice of the greatest severity, the newest among several; None where there is none."""
    return max(advisories, key=lambda each: (SEVERITIES.index(each.severity), each.at), default=None)


def at_least(advisories: Iterable[Advisory], severity: Severity) -> Advisory | None:
    """The worst notice, where it is as severe as that."""
    found = worst(advisories)
    if found is None or SEVERITIES.index(found.severity) < SEVERITIES.index(severity):
        return None
    return found


def affected(text: str, versions: Sequence[Version]) -> tuple[Version, ...]:
    """Which of `versions` are meant by `<1.2.0`, `>=1.0.0 <1.2.0`, `1.1.0`, `v1` or `all`.

    Pre-releases count as they are ordered: `2.0.0-rc.1` is before `2.0.0`.

    Raises:
        VersionError: it is none of these.
    """
    if text.strip() == "all":
        return tuple(versions)
    bounds = [(sign, Version.parse(number.removeprefix("v"))) for sign, number in _COMPARISON.findall(text)]
    rest = _COMPARISON.sub("", text).replace(",", " ").strip()
    if bounds and not rest:
        return tuple(each for each in versions if all(_is_within(each, *bound) for bound in bounds))
    if bounds:
        raise VersionError(f"'{rest}' is not understood")
    allowed = VersionRange.parse(text.strip())
    return tuple(each for each in versions if allowed.contains(each))


def _is_within(version: Version, sign: str, bound: Version) -> bool:
    match sign:
        case "<":
            return version < bound
        case "<=":
            return version <= bound
        case ">":
            return version > bound
        case ">=":
            return version >= bound
        case _:
            return version == bound


def severity_of(found: object) -> Severity | None:
    """The severity of that name."""
    return next((each for each in SEVERITIES if each == found), None)


def advisory_to_json(advisory: Advisory, at: str) -> Mapping[str, Any]:
    """As it is signed, and as the API tells it."""
    return {
        "id": advisory.id,
        "severity": advisory.severity,
        "title": advisory.title,
        "text": advisory.text,
        "versions": advisory.versions,
        "at": at,
    }
