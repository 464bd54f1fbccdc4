"""What one `uses` text means: pinned, or chosen among the releases that there are. Used by `resolver`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from windlass_registry.catalog import Catalog
from windlass_registry.choosing import Choice, HeldBack, Rules, choose, listed
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.index import Release
from windlass_registry.lock import LockFile, Pin, ResolvedAction
from windlass_registry.refs import COPY_IT, GitRef, LocalRef, RefError, RegistryRef, is_git, parse_uses
from windlass_registry.sources.git import MOVED, in_repository
from windlass_registry.sources.packages import Package
from windlass_registry.versions import Digest, Version, VersionError, VersionRange

LoadLocal = Callable[[LocalRef], ResolvedAction]
"""Gives the folder's action. Raises RefError where there is none, AuthorError where it is broken."""

_ANEW: Final = "run 'windlass lock --upgrade' to lock what is there now"
ASK_OWNER: Final = "use another, or ask whoever runs this daemon to allow it ([policy] in its settings)"
"""The remedy for what the settings do not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The one package that a text means, perhaps not fetched yet."""

    uses: str
    name: str
    version: str | None = None
    commit: str | None = None
    digest: str
    source: str
    inner: tuple[str, ...]
    """What it uses in turn."""
    load: Callable[[], Package]
    is_here: bool
    """Whether `load` needs no network."""
    is_unpinned: bool = False
    """There is a lock, and it does not have this text."""
    warnings: tuple[str, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    is_young: bool = False

    @property
    def identity(self) -> tuple[str, str, str]:
        """What is the same for two texts that mean the same package."""
        return (self.source, self.name, self.digest)

    @property
    def title(self) -> str:
        """The package in a message."""
        return f"{self.name} {self.version or self.commit or ''}".rstrip()


class Meanings:
    """Looks texts up, one at a time. Safe to use from several threads."""

    def __init__(self, *, catalog: Catalog, pins: LockFile | None, local: LoadLocal, rules: Rules) -> None:
        self._catalog = catalog
        self._pins = pins
        self._local = local
        self._rules = rules

    def is_far(self, uses: str) -> bool:
        """Whether looking it up may take a network's time of its own."""
        return is_git(uses)

    def of(self, uses: str) -> Meaning:
        """What the text means.

        Raises:
            RefError: nothing that may run.
            AuthorError: the manifest of a local or git action is broken.
            UpstreamError, OperatorError: it cannot be looked up now.
        """
        match parse_uses(uses):
            case LocalRef() as ref:
                return _local(uses, self._local(ref))
            case GitRef() as ref:
                return self._git(uses, ref, self._pin(uses))
            case RegistryRef() as ref:
                refused = self._rules.policy.refuses_namespace(ref)
                if refused is not None:
                    raise RefError(f"'{uses}': {refused}", remedy=ASK_OWNER)
                pin = self._pin(uses)
                return self._chosen(uses, ref) if pin is None else self._pinned(uses, ref, pin)

    def _pin(self, uses: str) -> Pin | None:
        return None if self._pins is None else self._pins.pins.get(uses)

    # -- registries -----------------------------------------------------------------------------

    def _chosen(self, uses: str, ref: RegistryRef) -> Meaning:
        choice = choose(ref, self._catalog.releases(ref), self._rules)
        before = self._rules.previous.get(uses)
        if before is not None and _stays(before, ref, choice):
            with suppress(RefError):  # it is not what it was: then it cannot stay
                return self._left(uses, ref, before, choice)
        return replace(
            self._released(uses, choice.release),
            held_back=choice.held_back,
            is_young=choice.is_young,
            is_unpinned=self._pins is not None,
        )

    def _left(self, uses: str, ref: RegistryRef, before: Pin, choice: Choice) -> Meaning:
        """What was pinned before, and what is newer but too young."""
        meaning = self._pinned(uses, ref, before)
        newer = tuple(each for each in choice.held_back if each.release.version > _version(before.version))
        return replace(meaning, held_back=newer, is_unpinned=self._pins is not None)

    def _pinned(self, uses: str, ref: RegistryRef, pin: Pin) -> Meaning:
        """What is pinned: from the store where it is there, else from its source by version and digest."""
        if pin.name != ref.full_name:
            raise RefError(f"the lock pins '{uses}' to '{pin.name}', another action", remedy=_ANEW)
        if not _fits(ref, pin):
            raise RefError(f"the lock pins '{uses}' to {pin.version}, which is outside it", remedy=_ANEW)
        release = _matching(pin, self._news(ref))
        if release is None and self._rules.policy.require_signatures:
            release = _matching(pin, self._catalog.releases(ref))
        stored = self._catalog.stored(pin.digest)
        if stored is not None and not (release is None and self._rules.policy.require_signatures):
            self._judge(uses, release)
            return _of_store(uses, ref, pin, stored, warnings=_warnings(release))
        if release is None:
            everything = self._catalog.releases(ref)
            release = _matching(pin, everything)
            if release is None:
                raise RefError(
                    f"the lock pins '{uses}' to {pin.version}, which is not here; "
                    f"there are: {listed(everything)}",
                    remedy=_ANEW,
                )
        self._judge(uses, release)
        return self._released(uses, release)

    def _news(self, ref: RegistryRef) -> Sequence[Release]:
        """What became of a name's releases: asked for just now where the rules judge by that and somebody
        answers, else perhaps an hour old. Where nobody can be asked, what is locked holds: by its digest."""
        if self._rules.asks_for_news or self._rules.policy.refuse_advisories is not None:
            with suppress(UpstreamError, OperatorError, RefError):
                return self._catalog.releases(ref)
        return self._catalog.news(ref)

    def _judge(self, uses: str, release: Release | None) -> None:
        """Refuse a pinned release that the owner of the machine does not allow."""
        if release is None:
            return
        refused = self._rules.policy.refuses_release(release)
        if release.yanked is not None and self._rules.policy.yanked == "refuse":
            refused = _yanked(release)
        if refused is not None:
            raise RefError(f"'{uses}' may not run here: {refused}", remedy=ASK_OWNER)

    def _released(self, uses: str, release: Release) -> Meaning:
        stored = None if release.source == "builtin" else self._catalog.stored(release.digest)
        return Meaning(
            uses=uses,
            name=release.name,
            version=str(release.version),
            digest=release.digest,
            source=release.source,
            inner=release.uses,
            load=release.load if stored is None else lambda: stored,
            is_here=stored is not None or release.source == "builtin",
            warnings=_warnings(release),
        )

    # -- git repositories -----------------------------------------------------------------------

    def _git(self, uses: str, ref: GitRef, pin: Pin | None) -> Meaning:
        policy = self._rules.policy
        refused = policy.refuses_git(ref)
        if policy.require_signatures and refused is None:
            refused = (
                "nobody signs actions in git repositories, and this runner's settings ask for signatures"
            )
        if refused is not None:
            raise RefError(f"'{uses}': {refused}", remedy=ASK_OWNER)
        if pin is None:
            return self._git_now(uses, ref)
        if pin.name != ref.name or pin.source != ref.source or pin.commit is None:
            raise RefError(f"the lock pins '{uses}' to '{pin.name}', another action", remedy=_ANEW)
        stored = self._catalog.stored(pin.digest)
        if stored is None:
            return self._git_now(uses, ref, pin)
        moved = self._moved(ref, pin.commit)
        if moved is not None and policy.moved_tags == "refuse":
            raise RefError(f"'{uses}' may not run here: {moved}", remedy=MOVED)
        meaning = _of_git(uses, ref, pin.commit, in_repository(stored, ref))
        return meaning if moved is None else replace(meaning, warnings=(f"{moved}: {MOVED}",))

    def _moved(self, ref: GitRef, commit: str) -> str | None:
        """What became of its tag: asked for just now where the rules judge by that, else as it was seen
        last, for what is locked waits for nobody."""
        git = self._catalog.git
        asks = self._rules.asks_for_news or self._rules.policy.moved_tags == "refuse"
        return None if git is None else git.moved(ref, commit, asks=asks)

    def _git_now(self, uses: str, ref: GitRef, pin: Pin | None = None) -> Meaning:
        if self._catalog.git is None:
            raise RefError(f"'{uses}': actions from git repositories cannot be fetched here", remedy=COPY_IT)
        found = self._catalog.git.fetch(ref, commit=None if pin is None else pin.commit)
        if pin is not None and found.package.digest != pin.digest:
            raise RefError(
                f"'{uses}' is not what the lock pins: the commit {found.commit} has {found.package.digest}, "
                f"the lock {pin.digest}",
                remedy=_ANEW,
            )
        meaning = _of_git(uses, ref, found.commit, found.package)
        return replace(meaning, is_unpinned=pin is None and self._pins is not None)


def _stays(before: Pin, ref: RegistryRef, choice: Choice) -> bool:
    """Whether a pin stays, because what would be chosen is older, or too young."""
    if before.name != ref.full_name or before.version == str(choice.release.version):
        return False
    return choice.is_young or choice.release.version < _version(before.version)


def _version(text: str | None) -> Version:
    """The version of a pin; one before all others where it has none."""
    try:
        return Version.parse(text or "")
    except VersionError:
        return Version(major=0, minor=0, patch=0)


def _local(uses: str, action: ResolvedAction) -> Meaning:
    package = Package(manifest=action.manifest, digest=action.digest, folder=action.folder)
    return Meaning(
        uses=uses,
        name=action.name,
        version=action.version,
        digest=action.digest,
        source=action.source,
        inner=action.manifest.uses(),
        load=lambda: package,
        is_here=True,
    )


def _of_git(uses: str, ref: GitRef, commit: str, package: Package) -> Meaning:
    return Meaning(
        uses=uses,
        name=ref.name,
        commit=commit,
        digest=package.digest,
        source=ref.source,
        inner=package.manifest.uses(),
        load=lambda: package,
        is_here=True,
    )


def _of_store(
    uses: str, ref: RegistryRef, pin: Pin, package: Package, *, warnings: tuple[str, ...]
) -> Meaning:
    return Meaning(
        uses=uses,
        name=ref.full_name,
        version=pin.version,
        digest=pin.digest,
        source=pin.source,
        inner=package.manifest.uses(),
        load=lambda: package,
        is_here=True,
        warnings=warnings,
    )


def _fits(ref: RegistryRef, pin: Pin) -> bool:
    """Whether what is pinned is within the reference's range, or its very bytes."""
    match ref.version:
        case Digest(text=digest):
            return pin.digest == digest
        case VersionRange() as allowed:
            return allowed.contains(_version(pin.version))


def _matching(pin: Pin, releases: Sequence[Release]) -> Release | None:
    """The release that is pinned; None where it is not among these.

    Raises:
        RefError: its version has other bytes.
    """
    release = next((each for each in releases if str(each.version) == pin.version), None)
    if release is None:
        return None
    if release.digest != pin.digest:
        raise RefError(
            f"{pin.name} {pin.version} is not what the lock pins: "
            f"it has {release.digest}, the lock {pin.digest}",
            remedy=_ANEW,
        )
    return release


def _warnings(release: Release | None) -> tuple[str, ...]:
    if release is None:
        return ()
    found = [f"{release.name} {release.version}: {notice.line()}" for notice in release.advisories]
    if release.yanked is not None:
        found.append(_yanked(release))
    if release.deprecated is not None:
        instead = f": use {release.deprecated}" if release.deprecated else ""
        found.append(f"{release.name} {release.version} is deprecated by its publisher{instead}")
    return tuple(found)


def _yanked(release: Release) -> str:
    why = f": {release.yanked}" if release.yanked else ""
    return f"{release.name} {release.version} was yanked by its publisher{why}"
