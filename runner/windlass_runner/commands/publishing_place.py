"""Where a publication goes, whose it is, and which keys of this machine may sign it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.known_registries import KnownRegistry
from windlass_registry.publication import Publishing
from windlass_registry.server_publishing import ServerPublishing
from windlass_registry.sources.registry import RegistrySource
from windlass_registry.trust.client import Namespace as SignedNamespace
from windlass_registry.trust.keys import KeyRing, PublicKey
from windlass_registry.trust.publishing import Signers
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import chosen_registry, key_ring, open_folder, open_source
from windlass_runner.commands.registry_login import token_for

RELEASE = ".release"
OWNER = ".owner"
"""How `windlass keys new` names the two keys of a namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingPlace:
    """One namespace of one registry, and the keys here that may sign its releases."""

    namespace: str
    source: RegistrySource
    publishing: Publishing
    keys: Sequence[PublicKey]
    owner_keys: Sequence[PublicKey]
    """Those of its owner that are here."""

    def read(self) -> SignedNamespace:
        """What is signed there now."""
        found = self.source.namespace(self.namespace, is_fresh=True)
        assert found is not None
        return found

    def signers(self, ring: KeyRing, passphrase: bytes | None) -> Signers:
        """What signs: the owner only where the namespace has nothing yet."""
        is_first = not self.read().release_keys
        return Signers(
            release=[ring.signer(each.name, passphrase=passphrase) for each in self.keys],
            owner=[ring.signer(each.name, passphrase=passphrase) for each in self.owner_keys]
            if is_first
            else [],
        )


def choose_place(arguments: Namespace, invocation: Invocation) -> PublishingPlace:
    """The namespace that is meant, and its keys.

    Raises:
        OperatorError: it is not clear, nobody owns it, or no key of it is here.
    """
    ring = key_ring(invocation)
    name = arguments.namespace or _only_namespace(ring)
    opened = open_namespace(name, arguments.registry, invocation)
    namespace = opened.signed
    here = {each.key.keyid: each for each in ring.public() if ring.has_private(each.name)}
    owners = [here[keyid] for keyid in namespace.owner_keys if keyid in here]
    keys = [here[keyid] for keyid in namespace.release_keys if keyid in here]
    if not namespace.release_keys:
        keys = _first_keys(name, here.values(), owners)
    if not keys:
        raise OperatorError(
            f"no release key of '{name}' is on this machine",
            remedy="publish where it is, or let the owner's key name a new one: windlass keys rotate",
        )
    return PublishingPlace(
        namespace=name,
        source=opened.source,
        publishing=opened.publishing,
        keys=keys,
        owner_keys=owners,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacePlace:
    """A namespace as it stands, and what takes changes of it."""

    signed: SignedNamespace
    source: RegistrySource
    publishing: Publishing


def open_namespace(name: str, registry: str | None, invocation: Invocation) -> NamespacePlace:
    """A namespace of the registry that is meant.

    Raises:
        OperatorError: nobody owns it there.
    """
    known = chosen_registry(registry, invocation)
    source = open_source(known.registry, invocation)
    signed = source.namespace(name)
    if signed is None:
        raise OperatorError(
            f"nobody owns the namespace '{name}' at {known.registry.address}",
            remedy="send its owner your .owner.pub file; they run: windlass registry grant "
            f"{name} --key FILE",
        )
    return NamespacePlace(signed=signed, source=source, publishing=open_publishing(known, invocation))


def open_publishing(known: KnownRegistry, invocation: Invocation) -> Publishing:
    """What takes a publication for that registry. Raises OperatorError where it wants a token."""
    address = known.registry.address
    if "://" in address and not address.startswith("file://"):
        return ServerPublishing(address, token=token_for(address, invocation))
    return open_folder(Path(address.removeprefix("file://")))


def _only_namespace(ring: KeyRing) -> str:
    names = [each.name.removesuffix(RELEASE) for each in ring.public() if each.name.endswith(RELEASE)]
    if len(names) == 1:
        return names[0]
    if not names:
        raise OperatorError("no release key is here", remedy="make one: windlass keys new NAMESPACE")
    raise OperatorError(
        f"there are keys of several namespaces: {', '.join(names)}", remedy="give --namespace"
    )


def _first_keys(name: str, here: Collection[PublicKey], owners: Sequence[PublicKey]) -> list[PublicKey]:
    """The release key that the owner names with the first publication."""
    if not owners:
        raise OperatorError(
            f"'{name}' has no release key yet, and its owner's key is not here",
            remedy="the first publication takes both: bring the owner's key for once",
        )
    stems = {each.name.removesuffix(OWNER) for each in owners}
    found = [
        each for each in here if each.name.removesuffix(RELEASE) in stems and each.name.endswith(RELEASE)
    ]
    if not found:
        raise OperatorError("the owner's key has no release key beside it", remedy="windlass keys new NAME")
    return found
