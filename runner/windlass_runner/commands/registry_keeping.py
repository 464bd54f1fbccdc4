"""`windlass registry init`, `grant`, `rekey`, `refresh`: what the owner of a registry does."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.known_registries import KnownRegistry
from windlass_registry.names import check_namespace, check_new_namespace
from windlass_registry.sources.registry import RegistryAddress
from windlass_registry.trust import publishing, roles
from windlass_registry.trust.client import root_digest
from windlass_registry.trust.hosted import ONLINE_KEY
from windlass_registry.trust.keys import load_public_key
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.key_claims import read_claim
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.registries import (
    chosen_registry,
    key_ring,
    known_registries,
    open_folder,
    utc_now,
)
from windlass_runner.commands.registry_list import absolute_address
from windlass_runner.commands.registry_owning import local_folder, open_owned


def begin(arguments: Namespace, invocation: Invocation) -> int:
    """Make the owner's keys and the first state, and believe it here."""
    folder = _new_folder(arguments.folder, invocation)
    registry = open_folder(folder)
    if registry.exists():
        raise OperatorError(f"{folder} holds a registry already", remedy="name another folder")
    known_registries(invocation).refuse_other(arguments.name)
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    root_name, targets_name = f"{arguments.name}.root", f"{arguments.name}.targets"
    root_signer = ring.create(root_name, passphrase=passphrase)
    targets_signer = ring.create(targets_name, passphrase=passphrase)
    online = registry.keys.create(ONLINE_KEY)
    root, targets = publishing.first_roles(
        root=root_signer, targets=targets_signer, online=online.public_key, now=utc_now()
    )
    registry.begin(root=root, targets=targets)
    known = KnownRegistry(registry=RegistryAddress(name=arguments.name, address=str(folder), root=root))
    known_registries(invocation).add(known)
    if arguments.json:
        invocation.print_json({"folder": str(folder), "root": root_digest(root), "name": arguments.name})
        return 0
    invocation.print(f"a registry lies in {folder}")
    invocation.print(f"  its root: {root_digest(root)}")
    invocation.print("  others add it with: windlass registry add ADDRESS --root " + root_digest(root))
    invocation.say(
        f"\nKeep {ring.private_path(root_name)} away from this machine, with a copy elsewhere: it says who "
        "may do everything\nelse, and nothing replaces it. "
        f"{ring.private_path(targets_name)} is needed to grant namespaces.\n"
        f"{folder}/private signs what is newest: never serve that folder; its loss or theft is mended with "
        "the root.\n\nNext: windlass keys new NAMESPACE, and windlass registry grant NAMESPACE --key FILE.pub"
    )
    return 0


def grant(arguments: Namespace, invocation: Invocation) -> int:
    """Sign that a namespace belongs to a key."""
    known = chosen_registry(arguments.registry, invocation)
    owned = open_owned(known, invocation)
    namespace: str = arguments.namespace
    if arguments.despite_likeness:
        check_namespace(namespace)
    else:
        check_new_namespace(namespace, roles.role_names(owned.signed.targets))
    owner = load_public_key(invocation.folder / Path(arguments.key).expanduser())
    ring = key_ring(invocation)
    names = ring.find(owned.signed.root.get_delegated_role("targets").keyids)
    if not names:
        raise OperatorError(
            "the key that grants namespaces is not here", remedy="bring NAME.targets.key back to this machine"
        )
    signer = ring.signer(names[0], passphrase=read_passphrase(arguments, invocation))
    badge: roles.Badge | None = (
        "verified" if arguments.verified else "official" if arguments.official else None
    )
    publication = publishing.grant_publication(
        owned.signed.targets,
        namespace,
        [owner.key],
        badge=badge,
        signers=[signer],
        now=utc_now(),
        claim=None if arguments.claim is None else read_claim(invocation.folder / arguments.claim),
    )
    owned.place.accept(publication)
    if arguments.json:
        invocation.print_json({"namespace": namespace, "owner": owner.key.keyid, "badge": badge})
    else:
        invocation.print(f"'{namespace}' belongs to the key {owner.name}: {owner.fingerprint}")
        invocation.say("compare these letters with its owner, by another way than the file came")
    return 0


def rekey(arguments: Namespace, invocation: Invocation) -> int:
    """Change keys of the registry's own roles, or sign anew with those that there are; readers follow by
    themselves."""
    owned = open_owned(chosen_registry(arguments.registry, invocation), invocation)
    place = owned.place
    if arguments.online and not isinstance(place, RegistryFolder):
        raise OperatorError(
            "the key that signs what is newest is the server's own, and is made there",
            remedy="run this with --online where the registry's folder is",
        )
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    names = ring.find(owned.signed.root.get_delegated_role("root").keyids)
    if not names:
        raise OperatorError("the root's key is not here", remedy="bring NAME.root.key back from its safe")
    stem = names[0].partition(".")[0]
    new = publishing.NewKeys(
        root=ring.create_next(f"{stem}.root", passphrase=passphrase) if arguments.root else None,
        targets=ring.create_next(f"{stem}.targets", passphrase=passphrase) if arguments.targets else None,
        online=place.keys.create_next(ONLINE_KEY).public_key
        if arguments.online and isinstance(place, RegistryFolder)
        else None,
    )
    signer = ring.signer(names[0], passphrase=passphrase)
    if not arguments.targets:  # the same key then signs for longer, where it is here
        same = ring.find(owned.signed.root.get_delegated_role("targets").keyids)
        again = ring.signer(same[0], passphrase=passphrase) if same else None
        new = replace(new, targets=again)
    root, targets = publishing.next_root(
        owned.signed.root, owned.signed.targets, new, signer=signer, now=utc_now()
    )
    place.change_root(root, targets=targets)
    changed = [role for role in ("online", "targets", "root") if getattr(arguments, role)]
    if arguments.json:
        invocation.print_json({"changed": changed, "root": owned.signed.root.version + 1})
        return 0
    if changed:
        number = owned.signed.root.version + 1
        invocation.print(f"changed: {', '.join(changed)}; the root is at version {number} now")
        invocation.say(
            "readers follow by themselves; put the new keys where the former were, and delete those"
        )
    else:
        invocation.print("signed anew: root" + (", targets" if targets is not None else ""))
    return 0


def refresh(arguments: Namespace, invocation: Invocation) -> int:
    """Sign anew what is newest, where it is due."""
    if arguments.folder is not None:
        folder = open_folder(Path(absolute_address(arguments.folder, invocation)))
    else:
        folder = local_folder(chosen_registry(None, invocation))
    was_due = folder.refresh(is_forced=arguments.force)
    expires = folder.roles().timestamp.expires
    if arguments.json:
        invocation.print_json({"folder": folder.address, "signed": was_due, "until": expires.isoformat()})
    else:
        what = "signed anew" if was_due else "not due"
        invocation.print(f"{folder.address}: {what}; it holds until {expires:%Y-%m-%d %H:%M} UTC")
    return 0


def _new_folder(given: str | None, invocation: Invocation) -> Path:
    if given is not None:
        return Path(absolute_address(given, invocation))
    from windlass_runner.daemon.settings import find_settings, load_settings
    from windlass_runner.run.storage import Storage

    settings = load_settings(find_settings(invocation.folder), invocation.environment)
    return Storage(settings.storage.path).registry
