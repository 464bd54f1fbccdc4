"""Versions of packages, and the ranges that a reference may name.

Order and syntax of a version: https://semver.org/spec/v2.0.0.html (an optional `v` in front is taken
too). What a range means: design of the registry, "Naming a version"; `^` and `~` are npm's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

_IDENTIFIER = r"(?:0|[1-9][0-9]{0,17}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_NUMBER = r"(0|[1-9][0-9]{0,17})"
_VERSION = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?\Z"
)
_PARTIAL = re.compile(rf"([\^~]?)v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?\Z")
_WILDCARD = re.compile(rf"v?(?:[xX*]|{_NUMBER}\.(?:[xX*]|{_NUMBER}\.[xX*]))(?:\.[xX*])*\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")

VERSION_FORMS = "v1, v1.2, 1.x, ^1.2, ~1.2.3, v1.2.3 or sha256:…"


class VersionError(ValueError):
    """The text is not a version, range or digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One release's number; ordered as semantic versioning says (build metadata does not count)."""

    major: int
    minor: int
    patch: int
    pre: tuple[int | str, ...] = ()
    build: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `1.2.3`, `v1.2.3`, `1.2.3-rc.1`, `1.2.3+build`.

        Raises:
            VersionError: anything else.
        """
        return _parsed(text)

    @property
    def triple(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return (self.major, self.minor, self.patch)

    def _order(self) -> tuple[object, ...]:
        pre = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in self.pre)
        return (*self.triple, not self.pre, pre)

    def __lt__(self, other: Version) -> bool:
        mine, others = self.triple, other.triple
        return mine < others if mine != others else self._order() < other._order()

    def __le__(self, other: Version) -> bool:
        return not other < self

    def __gt__(self, other: Version) -> bool:
        return other < self

    def __ge__(self, other: Version) -> bool:
        return other <= self

    def __str__(self) -> str:
        pre = "-" + ".".join(str(part) for part in self.pre) if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}" + (f"+{self.build}" if self.build else "")


@lru_cache(maxsize=1 << 16)
def _parsed(text: str) -> Version:
    found = _VERSION.match(text)
    if found is None:
        raise VersionError(f"'{text}' is not a version such as 1.2.3")
    major, minor, patch, pre, build = found.groups()
    parts = pre.split(".") if pre else []
    return Version(
        major=int(major),
        minor=int(minor),
        patch=int(patch),
        pre=tuple(int(part) if part.isdigit() else part for part in parts),
        build=build or "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRange:
    """The versions from `least` up to, without, `below`; one version where `is_exact`."""

    text: str
    least: Version
    below: Version | None = None
    is_exact: bool = False

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read `v1`, `v1.2`, `1.x`, `^1.2`, `~1.2.3` or `v1.2.3`.

        Raises:
            VersionError: anything else.
        """
        if _VERSION.match(text):
            return cls(text=text, least=Version.parse(text), is_exact=True)
        if text[:1] in ("^", "~") and _VERSION.match(text[1:]):
            least = Version.parse(text[1:])
            return cls(text=text, least=least, below=_ceiling(text[0], least.triple))
        if _WILDCARD.match(text):
            numbers = tuple(int(part) for part in re.findall(r"[0-9]+", text))
            return cls(text=text, least=_filled(numbers), below=_ceiling("", numbers))
        found = _PARTIAL.match(text)
        if found is None:
            raise VersionError(f"'{text}' is not a version")
        numbers = tuple(int(part) for part in found.groups()[1:] if part is not None)
        return cls(text=text, least=_filled(numbers), below=_ceiling(found.group(1), numbers))

    def contains(self, version: Version) -> bool:
        """Whether a release with this version may be chosen.

        A pre-release is chosen only by a range that names a pre-release of the same numbers.
        """
        if self.is_exact:
            return version == self.least
        if version.pre and not (self.least.pre and version.triple == self.least.triple):
            return False
        return version >= self.least and (self.below is None or version < self.below)

    def newest(self, versions: Iterable[Version]) -> Version | None:
        """The newest of `versions` that is in the range."""
        return max((version for version in versions if self.contains(version)), default=None)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Exactly these bytes: `sha256:` and 64 lower-case hexadecimal digits."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read a digest.

        Raises:
            VersionError: not `sha256:` and 64 digits.
        """
        if not _DIGEST.match(text):
            raise VersionError(f"'{text}' is not 'sha256:' and 64 lower-case hexadecimal digits")
        return cls(text=text)

    def __str__(self) -> str:
        return self.text


def parse_version_or_digest(text: str) -> VersionRange | Digest:
    """What stands after the `@` of a reference to a registry.

    Raises:
        VersionError: neither a range nor a digest.
    """
    return Digest.parse(text) if text.startswith("sha256:") else VersionRange.parse(text)


def _filled(numbers: tuple[int, ...]) -> Version:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return Version(major=major, minor=minor, patch=patch)


def _ceiling(sign: str, numbers: tuple[int, ...]) -> Version | None:
    """The first version above the range. `^` keeps the leftmost number that is not 0."""
    if not numbers:
        return None
    keep = len(numbers)
    if sign == "^":
        keep = next((place for place, number in enumerate(numbers, 1) if number), len(numbers))
    elif sign == "~":
        keep = min(keep, 2)
    return _filled((*numbers[: keep - 1], numbers[keep - 1] + 1))
