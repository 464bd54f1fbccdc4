"""`windlass registry add`, `list`, `remove`: which registries are believed here."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from windlass_registry.errors import OperatorError
from windlass_registry.known_registries import KnownRegistry
from windlass_registry.names import check_namespace
from windlass_registry.sources.registry import RegistryAddress
from windlass_registry.trust.client import pin_root, root_digest
from windlass_registry.trust.transport import open_transport
from windlass_runner.commands.context import SETTINGS_FILE
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import known_registries, open_source
from windlass_runner.commands.settings_registries import further, registries_of_settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,99}\Z")


def add(arguments: Namespace, invocation: Invocation) -> int:
    """Read a registry's root once, compare it where there is something to compare with, and keep it."""
    address = absolute_address(arguments.address, invocation)
    for namespace in arguments.namespaces:
        check_namespace(namespace)
    root = _pinned(arguments.root, address, invocation)
    registry = RegistryAddress(name=_name(arguments.name, address), address=address, root=root)
    open_source(registry, invocation).namespace("-")  # all of it is checked before it is believed
    known_registries(invocation).add(KnownRegistry(registry=registry, namespaces=tuple(arguments.namespaces)))
    if arguments.json:
        invocation.print_json(_json(KnownRegistry(registry=registry, namespaces=tuple(arguments.namespaces))))
        return 0
    invocation.print(f"added {registry.name}: {registry.address}")
    invocation.print(f"  its root: {root_digest(root)}")
    if arguments.root is None:
        invocation.say(
            "note: this root was taken from the registry itself. Compare its digest with the one that its "
            "owner tells you by another way; all that is believed later begins there"
        )
    return 0


def remove(arguments: Namespace, invocation: Invocation) -> int:
    """Forget one."""
    known_registries(invocation).remove(arguments.name)
    if arguments.json:
        invocation.print_json({"removed": arguments.name})
    else:
        invocation.say(f"{arguments.name} is not believed any more; what was fetched from it stays")
    return 0


def tell(arguments: Namespace, invocation: Invocation) -> int:
    """All of them."""
    known = known_registries(invocation).load()
    if arguments.json:
        for each in known:
            invocation.print_json(_json(each))
        return 0
    for each in known:
        where = f"  namespaces: {', '.join(each.namespaces)}" if each.namespaces else ""
        root = root_digest(each.registry.root)[:19]
        invocation.print(f"{each.registry.name}  {each.registry.address}  root {root}…{where}")
    others = list(further(known, registries_of_settings(invocation)))
    for one in others:
        where = f"  namespaces: {', '.join(one.namespaces)}" if one.namespaces else ""
        invocation.print(f"{one.name}  {one.url}  of {SETTINGS_FILE} here{where}")
    if not known and not others:
        invocation.say(
            "none: begin one with 'windlass registry init', or add one with 'windlass registry add'"
        )
    return 0


def absolute_address(text: str, invocation: Invocation) -> str:
    """An address that means the same from every folder."""
    if "://" in text:
        return text.rstrip("/")
    return str((invocation.folder / Path(text).expanduser()).resolve())


def _pinned(wanted: str | None, address: str, invocation: Invocation) -> bytes:
    transport = open_transport(address)
    if wanted is None or wanted.startswith("sha256:"):
        return pin_root(transport, expected=wanted)
    try:
        content = (invocation.folder / Path(wanted).expanduser()).read_bytes()
    except OSError as error:
        raise OperatorError(f"cannot read the root {wanted}: {error}") from error
    return pin_root(transport, expected=root_digest(content))


def _name(given: str | None, address: str) -> str:
    name = given or (urlsplit(address).netloc if "://" in address else Path(address).name)
    if not _NAME.match(name):
        raise OperatorError(f"'{name}' cannot be the name of a registry", remedy="choose one with --name")
    return name


def _json(known: KnownRegistry) -> dict[str, Any]:
    return {
        "name": known.registry.name,
        "address": known.registry.address,
        "root": root_digest(known.registry.root),
        "namespaces": list(known.namespaces),
    }
