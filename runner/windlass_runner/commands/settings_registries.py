"""The registries of a `windlass.toml` beside, or of `--config`: commands look in them as the daemon does.

What the user has added (`windlass registry add`) counts where both name a registry: its address and its root
are what they have been told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_registry.errors import UpstreamError
from windlass_registry.known_registries import KnownRegistry
from windlass_registry.sources.registry import RegistryAddress
from windlass_runner.commands.context import SETTINGS_FILE
from windlass_runner.commands.invocation import Invocation

if TYPE_CHECKING:
    from windlass_runner.daemon.registry_settings import RegistrySettings


def registries_of_settings(invocation: Invocation, config: str | None = None) -> tuple[RegistrySettings, ...]:
    """All of them; none where there are no settings. Raises OperatorError where these are broken."""
    path = invocation.folder / Path(config or SETTINGS_FILE).expanduser()
    if config is None and not path.is_file():
        return ()
    from windlass_runner.daemon.settings import load_settings

    return load_settings(path, invocation.environment).registries


def with_claims(
    known: Iterable[KnownRegistry], of_settings: Iterable[RegistrySettings]
) -> Iterator[KnownRegistry]:
    """Those of the user, looked in alone also for the namespaces that the settings leave to them."""
    claims = {each.name: each.namespaces for each in of_settings}
    for one in known:
        named = dict.fromkeys((*one.namespaces, *claims.get(one.registry.name, ())))
        yield replace(one, namespaces=tuple(named))


def further(
    known: Iterable[KnownRegistry], of_settings: Iterable[RegistrySettings]
) -> Iterator[RegistrySettings]:
    """Those of the settings that the user does not have."""
    taken = {word for one in known for word in (one.registry.name, one.registry.address)}
    return (each for each in of_settings if each.name not in taken and each.url not in taken)


def pinned_registries(
    settings: Iterable[RegistrySettings], invocation: Invocation, *, cache: Path, is_offline: bool = False
) -> Iterator[KnownRegistry]:
    """With their roots: as they are kept, else fetched. One that does not answer is told, and left out."""
    from windlass_runner.daemon.registries import kept_root, root_of

    for each in settings:
        kept = kept_root(cache, each)
        try:
            if is_offline and each.root_digest is not None and not kept.is_file():
                raise UpstreamError("it was never read here")
            root = root_of(each, kept)
        except UpstreamError as error:
            invocation.say(f"note: the registry {each.name} of the settings is left out: {error}")
            continue
        address = RegistryAddress(name=each.name, address=each.url, root=root)
        yield KnownRegistry(registry=address, namespaces=each.namespaces)
