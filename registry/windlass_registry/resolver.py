"""From `uses` texts to the packages they mean.

First the closure is settled from what is known of releases without fetching them: what each text means, what
those use in turn, circles, depth. Then what was chosen is fetched, several at a time, and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from windlass_registry.catalog import Catalog
from windlass_registry.choosing import HeldBack, Rules
from windlass_registry.errors import AuthorError, Problem, WindlassError
from windlass_registry.index import WrongPackage
from windlass_registry.lock import Lock, LockFile, Pin, ResolvedAction
from windlass_registry.meanings import LoadLocal, Meaning, Meanings
from windlass_registry.refs import RefError
from windlass_registry.sources.packages import Package

DEEPEST: Final = 32
"""How many composite actions may use each other in a row."""
_AT_ONCE: Final = 8
"""How many packages are fetched side by side."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How far the fetching of packages is. `name` is the one that just came; '' before the first."""

    done: int
    total: int
    name: str = ""


def resolve(
    uses: Iterable[str],
    *,
    catalog: Catalog,
    lock: Lock | LockFile | None = None,
    local: LoadLocal,
    rules: Rules | None = None,
    on_fetch: Callable[[Fetching], None] = lambda _fetching: None,
) -> Lock:
    """What each text means, and what those actions use in turn, to the end.

    A text that `lock` pins gets what is pinned, or nothing; any other the newest release that it allows. What
    is pinned and lies in one of the catalog's stores needs no network.

    Raises:
        ResolutionError: for the first text that failed; `.errors` has one for each.
        AuthorError: manifests of local actions are broken; all their problems, before anything else.
        UpstreamError, OperatorError: something cannot be asked or fetched now.
    """
    pins = lock.pins() if isinstance(lock, Lock) else lock
    meanings = Meanings(catalog=catalog, pins=pins, local=local, rules=rules or Rules())
    wanted = tuple(dict.fromkeys(uses))
    closure = _Closure(wanted, _expanded(wanted, meanings))
    packages = closure.fetch(on_fetch)
    return Lock(
        actions={uses: _resolved(closure.found[uses], packages[uses]) for uses in sorted(packages)},
        warnings=tuple(dict.fromkeys(each for one in closure.found.values() for each in one.warnings)),
        unpinned=tuple(sorted(uses for uses, one in closure.found.items() if one.is_unpinned)),
        held_back={uses: one.held_back for uses, one in closure.found.items() if one.held_back},
        young=frozenset(uses for uses, one in closure.found.items() if one.is_young),
    )


Outcome = Meaning | RefError | AuthorError


def _expanded(wanted: Sequence[str], meanings: Meanings) -> Mapping[str, Outcome]:
    """What every text of the closure means, or why it means nothing: level by level, the questions of a
    level side by side."""
    outcomes: dict[str, Outcome] = {}
    level: Sequence[str] = wanted
    for _ in range(DEEPEST + 1):
        level = [uses for uses in dict.fromkeys(level) if uses not in outcomes]
        if not level:
            break
        outcomes.update(zip(level, _looked_up(level, meanings), strict=True))
        found = (outcomes[uses] for uses in level)
        level = [inner for one in found if isinstance(one, Meaning) for inner in one.inner]
    return outcomes


def _looked_up(level: Sequence[str], meanings: Meanings) -> Iterable[Outcome]:
    def outcome(uses: str) -> Outcome:
        try:
            return meanings.of(uses)
        except (RefError, AuthorError) as error:
            return error

    if sum(meanings.is_far(uses) for uses in level) < 2:
        return [outcome(uses) for uses in level]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(outcome, level))


class _Closure:
    """All that the wanted texts lead to: checked when it is made, fetched when that is asked for."""

    def __init__(self, wanted: Sequence[str], outcomes: Mapping[str, Outcome]) -> None:
        self._wanted = wanted
        self._outcomes = outcomes
        self._done: set[tuple[str, str, str]] = set()
        self.found = {uses: one for uses, one in outcomes.items() if isinstance(one, Meaning)}
        self._for_each(lambda uses: self._visit(uses, ()))

    def fetch(self, on_fetch: Callable[[Fetching], None]) -> dict[str, Package]:
        """The packages by text, compared with what was said of them. Raises as `resolve` does."""
        packages: dict[str, Package] = {}
        failed: dict[str, RefError] = {}
        for uses, outcome in _fetched(self.found.values(), on_fetch):
            if isinstance(outcome, RefError):
                failed[uses] = outcome
            else:
                packages[uses] = outcome
        if failed:
            self._outcomes = {**self._outcomes, **failed}
            self._done.clear()
            self._for_each(lambda uses: self._visit(uses, ()))
        return packages

    def _for_each(self, visit: Callable[[str], None]) -> None:
        failed: list[ResolutionError] = []
        broken: list[Problem] = []
        for text in self._wanted:
            try:
                visit(text)
            except RefError as error:
                failed.append(ResolutionError(text, error.message, remedy=error.remedy))
            except AuthorError as error:
                broken.extend(error.problems)
        if broken:
            raise AuthorError(*dict.fromkeys(broken))
        if failed:
            failed[0].errors = tuple(failed)
            raise failed[0]

    def _visit(self, uses: str, above: tuple[Meaning, ...]) -> None:
        """Raise what is wrong with a text or below it. `above` are the actions that led here."""
        if len(above) > DEEPEST:
            raise RefError(f"more than {DEEPEST} actions use each other in a row")
        found = self._outcomes[uses]
        if isinstance(found, RefError):
            raise _with_path(found, above) from found
        if isinstance(found, AuthorError):
            raise found
        if found.identity in {each.identity for each in above}:
            loop = " → ".join([*(each.uses for each in above), uses])
            raise RefError(
                f"actions use each other in a circle: {loop}", remedy="take one of these steps out"
            )
        if found.identity in self._done:
            return
        for inner in found.inner:
            self._visit(inner, (*above, found))
        self._done.add(found.identity)


def _with_path(error: RefError, above: tuple[Meaning, ...]) -> RefError:
    if not above:
        return error
    path = " → ".join(each.uses for each in above)
    return RefError(f"{error.message} (used by {path})", remedy=error.remedy)


def _fetched(
    found: Iterable[Meaning], on_fetch: Callable[[Fetching], None]
) -> list[tuple[str, Package | RefError]]:
    """Every package once, however many texts mean it: those that are here first, the others side by side."""
    by_identity: dict[tuple[str, str, str], list[Meaning]] = {}
    for one in found:
        by_identity.setdefault(one.identity, []).append(one)
    groups = sorted(by_identity.values(), key=lambda group: not group[0].is_here)
    near = [group for group in groups if group[0].is_here]
    far = groups[len(near) :]
    outcomes = [_loaded(group[0]) for group in near]
    if far:
        on_fetch(Fetching(done=0, total=len(far)))
        with ThreadPoolExecutor(min(_AT_ONCE, len(far))) as pool:
            for done, outcome in enumerate(pool.map(_loaded, (group[0] for group in far)), start=1):
                outcomes.append(outcome)
                on_fetch(Fetching(done=done, total=len(far), name=far[done - 1][0].name))
    return [(each.uses, outcome) for group, outcome in zip(groups, outcomes, strict=True) for each in group]


def _loaded(meaning: Meaning) -> Package | RefError:
    """The package, compared with its digest and with the facts that the closure was settled from."""
    try:
        package = meaning.load()
    except WrongPackage as error:
        return RefError(f"{meaning.title} is not what its publisher signed: {error}", remedy=_REPORT)
    if package.digest != meaning.digest:
        message = f"{meaning.title} is not what was asked for: it has {package.digest}, not {meaning.digest}"
        return RefError(message, remedy=_REPORT)
    if set(package.manifest.uses()) != set(meaning.inner):
        uses = ", ".join(package.manifest.uses()) or "nothing"
        signed = ", ".join(meaning.inner) or "nothing"
        return RefError(
            f"{meaning.title} uses other actions than its publisher signed: {uses}; signed: {signed}",
            remedy=_REPORT,
        )
    return package


_REPORT: Final = "do not run it: tell its publisher, and whoever runs the registry"


def _resolved(meaning: Meaning, package: Package) -> ResolvedAction:
    return ResolvedAction(
        uses=meaning.uses,
        name=meaning.name,
        version=meaning.version,
        commit=meaning.commit,
        digest=meaning.digest,
        source=meaning.source,
        folder=package.folder,
        manifest=package.manifest,
    )


__all__ = [
    "DEEPEST",
    "Fetching",
    "HeldBack",
    "LoadLocal",
    "Lock",
    "LockFile",
    "Pin",
    "ResolutionError",
    "ResolvedAction",
    "Rules",
    "resolve",
]
