"""All that a `uses` can be looked up in, in one: what is built in, the registries of the settings, git
repositories, and the packages that are on this machine already.

Made once by the daemon's wiring or by a command, and handed down to whoever resolves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock as Mutex
from typing import Final, Protocol

from windlass_registry.index import Release, Source
from windlass_registry.near_words import did_you_mean
from windlass_registry.refs import COPY_IT, INSTEAD, GitRef, RefError, RegistryRef, known_on_github
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.packages import Package, load_package
from windlass_registry.store import Store

_REMEMBERED: Final = 512
"""Packages of the store whose manifests are kept read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry of the settings."""

    name: str
    """Its host, as it may stand before a namespace in a `uses`: `registry.example.org`."""
    source: Source
    namespaces: frozenset[str] | None = None
    """The namespaces that are looked up there, and nowhere else; None: all that no other claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitPackage:
    """An action in a git repository: the commit that a ref means now, and the folder at that commit."""

    commit: str
    package: Package


class GitPackages(Protocol):
    """Actions of git repositories. Safe to use from several threads."""

    def fetch(self, ref: GitRef, *, commit: str | None = None) -> GitPackage:
        """The action at a ref, or at `commit` where a lock pins the ref to it.

        Raises:
            RefError: no such ref, folder or action; or a tag that does not mean `commit` any more.
            AuthorError: the folder holds what a package may not.
            UpstreamError, OperatorError: the repository cannot be had.
        """
        ...

    def moved(self, ref: GitRef, commit: str, *, asks: bool) -> str | None:
        """What became of a tag that is pinned to `commit`, in words; None where it is as it was, is no tag,
        or nobody has looked. `asks`: look now; else by what was seen last. Never fails."""
        ...


class Catalog:
    """Which source answers for which reference. Safe to use from several threads.

    `stores` are looked at in order for packages that are here already.
    """

    def __init__(
        self,
        *,
        builtin: Source,
        registries: Sequence[Registry] = (),
        git: GitPackages | None = None,
        stores: Sequence[Store] = (),
    ) -> None:
        self._builtin = builtin
        self._registries = tuple(registries)
        self._stores = tuple(stores)
        self.git = git
        """None: there is no git here."""
        self._stored: OrderedDict[str, Package] = OrderedDict()
        self._mutex = Mutex()

    @classmethod
    def of_builtin(cls) -> Catalog:
        """What comes with Windlass, and nothing else."""
        return cls(builtin=load_builtin())

    def releases(self, ref: RegistryRef) -> Sequence[Release]:
        """The releases of a name, newest first, from whoever answers for it. May use the network.

        Raises:
            RefError: nobody knows the name (with the nearest that is known), or several do.
            UpstreamError, OperatorError: a registry cannot be asked.
        """
        answers = [
            (registry, found)
            for registry in self._asked(ref)
            if (found := registry.source.releases(ref.full_name))
        ]
        if not answers:
            raise self._unknown(ref)
        if len(answers) > 1:
            first, second = (registry.name for registry, _ in answers[:2])
            raise RefError(
                f"two registries have '{ref.full_name}': {first} and {second}",
                remedy=f"write '{first}/{ref.full_name}@{ref.version}', or say in the settings whose "
                f"namespace '{ref.namespace}' is",
            )
        return answers[0][1]

    def news(self, ref: RegistryRef) -> Sequence[Release]:
        """As `known`, asked for anew where that is an hour old and somebody answers. Never fails."""
        asked = self._asked(ref)
        knowing = [each for each in asked if each.source.known(ref.full_name)] or asked
        return next(filter(None, (each.source.news(ref.full_name) for each in knowing)), ())

    def known(self, ref: RegistryRef) -> Sequence[Release]:
        """As `releases`, of what this machine knows already: never uses the network, never fails."""
        return next(filter(None, (each.source.known(ref.full_name) for each in self._asked(ref))), ())

    def stored(self, digest: str) -> Package | None:
        """The package with this digest, compared with it, where it is on this machine.

        Raises:
            OperatorError: it was changed on disk.
        """
        with self._mutex:
            if digest in self._stored:
                self._stored.move_to_end(digest)
                return self._stored[digest]
        store = next((store for store in self._stores if store.has(digest)), None)
        if store is None:
            return None
        package = load_package(store.path(digest), shown_as=digest[:19])
        if package is None or package.digest != digest:
            store.verify(digest)
            return None
        with self._mutex:
            self._stored[digest] = package
            if len(self._stored) > _REMEMBERED:
                self._stored.popitem(last=False)
        return package

    def _asked(self, ref: RegistryRef) -> tuple[Registry, ...]:
        """Who may answer for a reference.

        Names without a namespace are the built-in actions' alone: no registry can answer for them. A
        namespace that a registry of the settings claims is looked up there alone: nobody can answer for it.
        """
        if ref.namespace is None and ref.host is None:
            return (Registry(name="builtin", source=self._builtin),)
        named = [each for each in self._registries if ref.host is None or each.name == ref.host]
        claiming = tuple(
            each for each in named if each.namespaces is not None and ref.namespace in each.namespaces
        )
        return claiming or tuple(each for each in named if each.namespaces is None)

    def _unknown(self, ref: RegistryRef) -> RefError:
        shown = f"{ref.host}/{ref.full_name}" if ref.host else ref.full_name
        message = f"unknown action '{shown}@{ref.version}'"
        if ref.full_name in INSTEAD and ref.host is None:
            return RefError(message, remedy=INSTEAD[ref.full_name])
        if ref.host is not None and all(each.name != ref.host for each in self._registries):
            remedy = f"add it under [[registry]], or {COPY_IT}"
            return RefError(f"{message}: the settings name no registry '{ref.host}'", remedy=remedy)
        names = sorted({name for registry in self._asked(ref) for name in registry.source.names()})
        return RefError(message, remedy=_nearest(ref, names))


def _nearest(ref: RegistryRef, names: Sequence[str]) -> str | None:
    close = did_you_mean(ref.full_name, names)
    if close is not None and close.startswith("did you mean"):
        name = close.removeprefix("did you mean '").removesuffix("'?")
        return f"did you mean '{name}@{ref.version}'?"
    return close if ref.namespace is None else known_on_github(ref)
