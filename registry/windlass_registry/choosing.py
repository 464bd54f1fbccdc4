"""Which release a reference means, and, where it means none, why each of them is not taken. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from windlass_registry.index import Release
from windlass_registry.policy import Policy
from windlass_registry.refs import RefError, RegistryRef
from windlass_registry.versions import Digest, Version, VersionRange

if TYPE_CHECKING:
    from windlass_registry.lock import Pin

_SHOWN: Final = 10
"""How many releases are listed before the rest is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """How long a release is left to others first: what is malicious is mostly found out in its first days."""

    period: timedelta
    now: datetime

    def until(self, release: Release) -> datetime | None:
        """When the release may be taken; None: now."""
        if release.published is None:
            return None
        end = release.published + self.period
        return end if end > self.now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What limits the choice beside the reference itself."""

    policy: Policy = field(default_factory=Policy)
    cool_down: CoolDown | None = None
    """None: the newest release is taken, however young."""
    asks_for_news: bool = False
    """Whether registries are asked also about what is pinned and here: what became of it since."""
    previous: Mapping[str, Pin] = field(default_factory=dict)
    """What was pinned before, by `uses` text: never left for something older, or for something too young."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """A release that would be taken, were it not so young."""

    release: Release
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The release that is taken, and those that are too young, newest first."""

    release: Release
    held_back: tuple[HeldBack, ...] = ()
    is_young: bool = False
    """It is one of these, and was taken because nothing older fits."""


def choose(ref: RegistryRef, releases: Sequence[Release], rules: Rules) -> Choice:
    """The release that a reference means. `releases`: all of its name, newest first, none read in vain.

    A range passes over what was yanked, and what is too young where there is something older. An exact
    version and a digest mean that release, whatever became of it.

    Raises:
        RefError: none may be taken; says why not each, and what to write instead.
    """
    held: list[HeldBack] = []
    for release in releases:
        if _is_outside(ref, release) or _refusal(ref, release, rules) is not None:
            continue
        until = None if _is_named(ref) or rules.cool_down is None else rules.cool_down.until(release)
        if until is None:
            return Choice(release=release, held_back=tuple(held))
        held.append(HeldBack(release=release, until=until))
    if held:  # nothing older fits: a wait would only keep people from beginning
        return Choice(release=held[0].release, held_back=tuple(held), is_young=True)
    raise _none_fits(ref, releases, rules)


def is_allowed(ref: RegistryRef, release: Release) -> bool:
    """Whether the reference's range or digest has that release in it."""
    match ref.version:
        case Digest(text=digest):
            return release.digest == digest
        case VersionRange() as allowed:
            return allowed.contains(release.version)


def listed(releases: Sequence[Release]) -> str:
    """Releases for a message: the newest ones by name, the rest counted."""
    words = [
        f"{each.version} (yanked)" if each.is_yanked else str(each.version) for each in releases[:_SHOWN]
    ]
    left = len(releases) - len(words)
    return ", ".join(words) + (f" and {left} more" if left else "")


def _is_named(ref: RegistryRef) -> bool:
    """Whether it names one release, so that there is nothing to choose."""
    return isinstance(ref.version, Digest) or ref.version.is_exact


def _is_outside(ref: RegistryRef, release: Release) -> bool:
    return not is_allowed(ref, release)


def _refusal(ref: RegistryRef, release: Release, rules: Rules) -> str | None:
    """Why a release that the reference allows is not taken, in a few words."""
    if release.kind != "action":
        return f"a {release.kind}, no action"
    if release.yanked is not None and not _is_named(ref):
        return f"yanked: {release.yanked}" if release.yanked else "yanked"
    return rules.policy.refuses_release(release)


def _none_fits(ref: RegistryRef, releases: Sequence[Release], rules: Rules) -> RefError:
    inside = [release for release in releases if is_allowed(ref, release)]
    if not inside:
        remedy = "there are: " + listed(releases)
        other = _other(ref, releases, rules)
        return RefError(
            f"no release of '{ref.full_name}' matches '{ref.version}'",
            remedy=f"write '{other}'; {remedy}" if other else remedy,
        )
    reasons = "; ".join(_reasons(ref, inside, rules))
    return RefError(
        f"no release of '{ref.full_name}' that matches '{ref.version}' may be taken ({reasons})",
        remedy=_instead(ref, releases, rules),
    )


def _reasons(ref: RegistryRef, inside: Sequence[Release], rules: Rules) -> Iterator[str]:
    """Why not each, those with the same reason together."""
    found: dict[str, list[Version]] = {}
    for release in inside:
        found.setdefault(_refusal(ref, release, rules) or "", []).append(release.version)
    for reason, versions in found.items():
        shown = ", ".join(str(version) for version in versions[:_SHOWN])
        left = f" and {len(versions) - _SHOWN} more" if len(versions) > _SHOWN else ""
        yield f"{shown}{left}: {reason}"


def _instead(ref: RegistryRef, releases: Sequence[Release], rules: Rules) -> str:
    successor = next((each.deprecated for each in releases if each.deprecated), None)
    if successor is not None:
        return f"its publisher says to use '{successor}'"
    if any(release.kind != "action" for release in releases):
        return f"a sample is taken over with 'windlass subscribe {ref.full_name}@{ref.version}'"
    other = _other(ref, releases, rules)
    if other is not None:
        return f"write '{other}'"
    if rules.policy.require_signatures and any(not each.is_yanked for each in releases):
        return "ask its publisher for a signed release, or whoever runs this daemon to allow it ([policy])"
    return "ask its publisher for a new release"


def _other(ref: RegistryRef, releases: Sequence[Release], rules: Rules) -> str | None:
    """What to write for the newest release that a range may choose."""
    for release in releases:
        if not release.is_yanked and not release.version.pre and _refusal(ref, release, rules) is None:
            host = f"{ref.host}/" if ref.host else ""
            numbers = release.version.triple
            short = f"v{numbers[0]}" if numbers[0] else f"v0.{numbers[1]}"
            return f"{host}{ref.full_name}@{short}"
    return None
