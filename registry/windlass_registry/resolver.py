"""From `uses` texts to the packages they mean: pure, but for the callables that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from windlass_registry.catalog import Catalog
from windlass_registry.documents import did_you_mean
from windlass_registry.errors import AuthorError, Problem, WindlassError
from windlass_registry.index import Release
from windlass_registry.lock import Lock, LockFile, Pin, ResolvedAction
from windlass_registry.refs import (
    COPY_IT,
    INSTEAD,
    ActionRef,
    GitRef,
    LocalRef,
    RefError,
    RegistryRef,
    parse_uses,
)
from windlass_registry.versions import Digest, VersionRange

LoadLocal = Callable[[LocalRef], ResolvedAction]
"""Gives the folder's action. Raises RefError where there is none, AuthorError where it is broken."""

DEEPEST: Final = 32
"""How many composite actions may use each other in a row."""


class ResolutionError(WindlassError):
    """A `uses` text means nothing that can run. `uses` is the text that the workflow has."""

    exit_code = 2

    def __init__(self, uses: str, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message + (f"; {remedy}" if remedy else ""))
        self.uses = uses
        self.message = message
        self.remedy = remedy
        self.errors: tuple[ResolutionError, ...] = (self,)
        """All that went wrong in the same call, this one first."""


def resolve(
    uses: Iterable[str], *, catalog: Catalog, lock: Lock | LockFile | None = None, local: LoadLocal
) -> Lock:
    """What each text means, and what those actions use in turn, to the end.

    A text that `lock` pins gets what is pinned, or nothing; any other the newest release that it allows.

    Raises:
        ResolutionError: for the first text that failed; `.errors` has one for each.
        AuthorError: manifests of local actions are broken; all their problems, before anything else.
    """
    pins = lock.pins() if isinstance(lock, Lock) else lock
    resolver = _Resolver(catalog=catalog, pins=pins, local=local)
    failed: list[ResolutionError] = []
    broken: list[Problem] = []
    for text in dict.fromkeys(uses):
        try:
            resolver.visit(text, ())
        except RefError as error:
            failed.append(ResolutionError(text, error.message, remedy=error.remedy))
        except AuthorError as error:
            broken.extend(error.problems)
    if broken:
        raise AuthorError(*dict.fromkeys(broken))
    if failed:
        failed[0].errors = tuple(failed)
        raise failed[0]
    return resolver.lock()


class _Resolver:
    """One call of `resolve`. Failures are RefErrors until the workflow's own text is added."""

    def __init__(self, *, catalog: Catalog, pins: LockFile | None, local: LoadLocal) -> None:
        self._catalog = catalog
        self._pins = pins
        self._local = local
        self._found: dict[str, ResolvedAction] = {}
        self._done: set[tuple[str, str, str]] = set()
        self._warnings: list[str] = []
        self._unpinned: list[str] = []

    def lock(self) -> Lock:
        return Lock(
            actions=dict(sorted(self._found.items())),
            warnings=tuple(dict.fromkeys(self._warnings)),
            unpinned=tuple(sorted(self._unpinned)),
        )

    def visit(self, uses: str, above: tuple[ResolvedAction, ...]) -> None:
        """Find `uses` and all that it uses. `above` are the composite actions that led here."""
        try:
            action = self._find(uses)
        except RefError as error:
            raise _with_path(error, above) from error
        key = _identity(action)
        if key in {_identity(each) for each in above}:
            loop = " → ".join([*(each.uses for each in above), uses])
            raise RefError(
                f"actions use each other in a circle: {loop}", remedy="take one of these steps out"
            )
        if key in self._done:
            return
        if len(above) >= DEEPEST:
            raise RefError(f"more than {DEEPEST} actions use each other in a row")
        for inner in action.manifest.uses():
            self.visit(inner, (*above, action))
        self._done.add(key)

    def _find(self, uses: str) -> ResolvedAction:
        if uses not in self._found:
            self._found[uses] = self._look_up(uses, parse_uses(uses))
        return self._found[uses]

    def _look_up(self, uses: str, ref: ActionRef) -> ResolvedAction:
        match ref:
            case LocalRef():
                return replace(self._local(ref), uses=uses)
            case GitRef():
                raise RefError(
                    f"'{uses}': actions from a git repository are not supported yet",
                    remedy=COPY_IT,
                )
            case RegistryRef():
                return _resolved(uses, self._release(uses, ref))

    def _release(self, uses: str, ref: RegistryRef) -> Release:
        sources = self._catalog.sources(ref)
        if ref.host is not None and not sources:
            raise RefError(
                f"'{uses}': the settings name no registry '{ref.host}'", remedy="add it, or " + COPY_IT
            )
        releases = next(filter(None, (source.releases(ref.full_name) for source in sources)), ())
        if not releases:
            raise self._unknown(uses, ref)
        pin = None if self._pins is None else self._pins.pins.get(uses)
        if self._pins is not None and pin is None:
            self._unpinned.append(uses)
        chosen = _choose(ref, releases) if pin is None else _pinned(uses, ref, pin, releases)
        if chosen.is_yanked:
            self._warnings.append(f"{chosen.name} {chosen.version} was yanked by its publisher")
        return chosen

    def _unknown(self, uses: str, ref: RegistryRef) -> RefError:
        instead = INSTEAD.get(ref.full_name)
        if instead is None:
            names = sorted({name for source in self._catalog.sources(ref) for name in source.names()})
            close = did_you_mean(ref.full_name, names)
            instead = close
            if close is not None and close.startswith("did you mean"):
                name = close.removeprefix("did you mean '").removesuffix("'?")
                instead = f"did you mean '{name}@{ref.version}'?"
            elif ref.namespace is not None:
                instead = COPY_IT
        return RefError(f"unknown action '{uses}'", remedy=instead)


def _with_path(error: RefError, above: tuple[ResolvedAction, ...]) -> RefError:
    if not above:
        return error
    path = " → ".join(each.uses for each in above)
    return RefError(f"{error.message} (used by {path})", remedy=error.remedy)


def _identity(action: ResolvedAction) -> tuple[str, str, str]:
    return (action.source, action.name, action.digest)


def _choose(ref: RegistryRef, releases: Sequence[Release]) -> Release:
    match ref.version:
        case Digest(text=digest):
            found = [release for release in releases if release.digest == digest]
        case VersionRange(is_exact=True) as exact:
            found = [release for release in releases if exact.contains(release.version)]
        case VersionRange() as allowed:
            found = [r for r in releases if not r.is_yanked and allowed.contains(r.version)]
    if found:
        return found[0]
    raise RefError(
        f"no release of '{ref.full_name}' matches '{ref.version}'", remedy="there are: " + _listed(releases)
    )


def _listed(releases: Sequence[Release]) -> str:
    words = [
        f"{release.version} (yanked)" if release.is_yanked else str(release.version) for release in releases
    ]
    return ", ".join(words[:10]) + (f" and {len(words) - 10} more" if len(words) > 10 else "")


def _pinned(uses: str, ref: RegistryRef, pin: Pin, releases: Sequence[Release]) -> Release:
    remedy = "run 'windlass lock --upgrade' to lock what is there now"
    if pin.name != ref.full_name:
        raise RefError(f"the lock pins '{uses}' to '{pin.name}', another action", remedy=remedy)
    for release in releases:
        if release.digest == pin.digest and str(release.version) == pin.version:
            return _matching(uses, ref, release, remedy)
    same = [release for release in releases if str(release.version) == pin.version]
    if same:
        raise RefError(
            f"{pin.name} {pin.version} is not what the lock pins: "
            f"it has {same[0].digest}, the lock {pin.digest}",
            remedy=remedy,
        )
    raise RefError(
        f"the lock pins '{uses}' to {pin.version}, which is not here; there are: {_listed(releases)}",
        remedy=remedy,
    )


def _matching(uses: str, ref: RegistryRef, release: Release, remedy: str) -> Release:
    match ref.version:
        case Digest(text=digest):
            is_allowed = release.digest == digest
        case VersionRange() as allowed:
            is_allowed = allowed.contains(release.version)
    if not is_allowed:
        raise RefError(f"the lock pins '{uses}' to {release.version}, which is outside it", remedy=remedy)
    return release


def _resolved(uses: str, release: Release) -> ResolvedAction:
    package = release.load()
    return ResolvedAction(
        uses=uses,
        name=release.name,
        version=str(release.version),
        digest=release.digest,
        source=release.source,
        folder=package.folder,
        manifest=package.manifest,
    )


__all__ = ["DEEPEST", "LoadLocal", "Lock", "LockFile", "Pin", "ResolutionError", "ResolvedAction", "resolve"]
