"""A registry as its owner changes it: in a folder of this machine, or from afar over HTTP.

The keys stay where the owner is. A server is told what they signed; it could make none of it itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.known_registries import KnownRegistry
from windlass_registry.server_publishing import ServerPublishing
from windlass_registry.trust.client import OwnRoles
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import open_folder, open_source
from windlass_runner.commands.registry_login import token_for


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRegistry:
    """What the owner signed last, and what takes the next."""

    signed: OwnRoles
    place: RegistryFolder | ServerPublishing


def open_owned(known: KnownRegistry, invocation: Invocation) -> OwnedRegistry:
    """The registry as it stands now. A folder is read as it lies there: its owner mends it too.

    Raises:
        OperatorError: it is a copy that takes nothing, or no token for its server is here.
        TrustError: the server shows what its owner has not signed.
    """
    address = known.registry.address
    if is_local(address):
        folder = local_folder(known)
        state = folder.roles()
        return OwnedRegistry(signed=OwnRoles(root=state.root, targets=state.targets), place=folder)
    if not address.startswith(("https://", "http://")):
        raise OperatorError(
            f"{address} is a copy, which takes nothing", remedy="name the registry itself with --registry"
        )
    token = token_for(address, invocation)
    signed = open_source(known.registry, invocation).own_roles()
    return OwnedRegistry(signed=signed, place=ServerPublishing(address, token=token))


def local_folder(known: KnownRegistry) -> RegistryFolder:
    """The registry's folder. Raises OperatorError where it is not on this machine."""
    address = known.registry.address
    if not is_local(address):
        raise OperatorError(
            f"{address} is not a folder of this machine", remedy="do this where the registry's folder is"
        )
    return open_folder(Path(address.removeprefix("file://")))


def is_local(address: str) -> bool:
    """Whether a registry lies in a folder here."""
    return "://" not in address or address.startswith("file://")
