"""The registries of a daemon as sources of actions: those of its settings, and its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from windlass_registry.catalog import Registry
from windlass_registry.errors import OperatorError
from windlass_registry.sources.pinning import PinningSource, own_root, pin_by_digest
from windlass_registry.sources.registry import RegistryAddress, RegistrySource
from windlass_registry.store import Store
from windlass_runner.daemon.registry_settings import OWN, RegistrySettings
from windlass_runner.run.storage import Storage, slug


def open_registries(
    settings: Sequence[RegistrySettings],
    *,
    storage: Storage,
    packages: Store,
    clock: Callable[[], datetime],
) -> tuple[Registry, ...]:
    """All of them. Nothing is read yet, so that none that is away keeps the daemon from starting."""
    cache = storage.root / "registries"

    def source(name: str, address: str, root: bytes) -> RegistrySource:
        found = RegistryAddress(name=name, address=address, root=root)
        return RegistrySource(found, store=packages, cache=cache, clock=clock)

    own = storage.root / "registry"
    opened = [
        Registry(name=OWN, source=PinningSource(partial(source, OWN, str(own)), pin=partial(own_root, own)))
    ]
    for each in settings:
        pinning = PinningSource(
            partial(source, each.name, each.url), pin=partial(root_of, each, kept_root(cache, each))
        )
        opened.append(Registry(name=each.name, source=pinning, namespaces=frozenset(each.namespaces) or None))
    return tuple(opened)


def kept_root(cache: Path, settings: RegistrySettings) -> Path:
    """Where its root is kept once it has been read."""
    return cache / f"{slug(settings.name)}.root.json"


def root_of(settings: RegistrySettings, kept: Path) -> bytes:
    """The root that the settings name: from a file of theirs, else as it is kept, else fetched.

    Raises:
        TrustError, UpstreamError, OperatorError: it cannot be had.
    """
    if settings.root_digest is not None:
        return pin_by_digest(settings.url, settings.root_digest, kept=kept)
    assert settings.root_file is not None
    try:
        return settings.root_file.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"cannot read the root of the registry {settings.name}: {error}", remedy="see [[registry]] root"
        ) from error
