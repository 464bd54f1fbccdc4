"""The registries that a command speaks of, and the folders of the user that belong to them.

Imports nothing of TUF: a registry is read when one of its names is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_registry.catalog import Catalog, Registry
from windlass_registry.errors import OperatorError
from windlass_registry.known_registries import KnownRegistries, KnownRegistry
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.registry import RegistryAddress, RegistrySource
from windlass_registry.store import Store
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.git_packages import LaterGit
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.local_state import STATE
from windlass_runner.commands.settings_registries import (
    further,
    pinned_registries,
    registries_of_settings,
    with_claims,
)
from windlass_runner.run.storage import Storage

if TYPE_CHECKING:
    from windlass_registry.hosting.folder import RegistryFolder
    from windlass_registry.trust.keys import KeyRing
    from windlass_runner.daemon.registry_settings import RegistrySettings


def config_folder(environment: Mapping[str, str]) -> Path:
    """The user's own settings of Windlass (https://specifications.freedesktop.org/basedir-spec/)."""
    return _base(environment, "XDG_CONFIG_HOME", ".config") / "windlass"


def cache_folder(environment: Mapping[str, str]) -> Path:
    """What may be deleted at any time, and is fetched again."""
    return _base(environment, "XDG_CACHE_HOME", ".cache") / "windlass"


def known_registries(invocation: Invocation) -> KnownRegistries:
    """The list of the user."""
    return KnownRegistries(config_folder(invocation.environment))


def key_ring(invocation: Invocation) -> KeyRing:
    """The keys of the user."""
    from windlass_registry.trust.keys import KeyRing

    return KeyRing(config_folder(invocation.environment) / "keys")


def open_source(
    registry: RegistryAddress, invocation: Invocation, *, is_offline: bool = False
) -> RegistrySource:
    """What reads one registry for this user; `is_offline`: by what was read last."""
    cache = cache_folder(invocation.environment)
    return RegistrySource(
        registry,
        store=Store(cache / "packages"),
        cache=cache / "registries",
        clock=utc_now,
        is_offline=is_offline,
    )


def open_registries(invocation: Invocation, *, config: str | None = None) -> tuple[Registry, ...]:
    """The registries of this user and of the settings (`config`, else `windlass.toml` beside), for a catalog.
    Nothing is read of them yet."""
    of_settings = registries_of_settings(invocation, config)
    known = known_registries(invocation).load()
    mine = [
        Registry(
            name=each.registry.name,
            source=open_source(each.registry, invocation),
            namespaces=frozenset(each.namespaces) or None,
        )
        for each in with_claims(known, of_settings)
    ]
    return (*mine, *(_later(each, invocation) for each in further(known, of_settings)))


def _later(settings: RegistrySettings, invocation: Invocation) -> Registry:
    """A registry of the settings, whose root is fetched when it is first asked for something."""
    from windlass_registry.sources.pinning import PinningSource
    from windlass_runner.daemon.registries import kept_root, root_of

    def opened(root: bytes) -> RegistrySource:
        address = RegistryAddress(name=settings.name, address=settings.url, root=root)
        return open_source(address, invocation)

    kept = kept_root(_roots(invocation), settings)
    source = PinningSource(opened, pin=lambda: root_of(settings, kept))
    return Registry(name=settings.name, source=source, namespaces=frozenset(settings.namespaces) or None)


def believed_registries(
    invocation: Invocation, *, config: str | None = None, is_offline: bool = False
) -> tuple[KnownRegistry, ...]:
    """The same, to be read one by one: with their roots, which are fetched where they are not here."""
    of_settings = registries_of_settings(invocation, config)
    known = known_registries(invocation).load()
    more = further(known, of_settings)
    pinned = pinned_registries(more, invocation, cache=_roots(invocation), is_offline=is_offline)
    return (*with_claims(known, of_settings), *pinned)


def _roots(invocation: Invocation) -> Path:
    """Where the roots of the settings' registries are kept."""
    return cache_folder(invocation.environment) / "registries"


def open_catalog(invocation: Invocation, *, config: str | None = None) -> Catalog:
    """All that this user's `uses` can mean: what is built in, the registries that they or the settings
    believe (`config`: as for `open_registries`), git repositories, and the packages of this machine."""
    cache = cache_folder(invocation.environment)
    stores = [Store(cache / "packages")]
    root = repository_root(invocation.folder)
    if root is not None:
        stores.append(Store(Storage(root / STATE).packages))
    return Catalog(
        builtin=load_builtin(),
        registries=open_registries(invocation, config=config),
        git=LaterGit(invocation.environment, root=cache / "git", store=stores[0]),
        stores=stores,
    )


def open_folder(folder: Path) -> RegistryFolder:
    """A registry of this machine, to publish to and to keep."""
    from windlass_registry.hosting.folder import RegistryFolder

    return RegistryFolder(folder, clock=utc_now, builtin=load_builtin().names())


def chosen_registry(
    name: str | None, invocation: Invocation, *, among: Sequence[KnownRegistry] | None = None
) -> KnownRegistry:
    """The registry that is meant: by its name or address, or the only one. `among`: in place of the user's.

    Raises:
        OperatorError: there is none, or it is not clear which.
    """
    known = known_registries(invocation).load() if among is None else among
    if name is None:
        if len(known) == 1:
            return known[0]
        if not known:
            raise OperatorError(
                "no registry is known here",
                remedy="begin one with 'windlass registry init', or add one with 'windlass registry add URL'",
            )
        names = ", ".join(each.registry.name for each in known)
        raise OperatorError(f"there are several registries: {names}", remedy="name one with --registry")
    for each in known:
        if name in (each.registry.name, each.registry.address):
            return each
    as_path = str((invocation.folder / name).resolve())
    for each in known:
        if each.registry.address == as_path:
            return each
    raise OperatorError(f"no registry '{name}' is known here", remedy=f"add it: windlass registry add {name}")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def _base(environment: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environment.get(variable)
    if named and Path(named).is_absolute():
        return Path(named)
    return Path(environment.get("HOME") or Path.home()) / below_home
