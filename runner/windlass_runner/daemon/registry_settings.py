"""`[[registry]]`: the registries that a daemon believes. Used by `daemon.settings`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from windlass_registry.names import is_namespace
from windlass_runner.daemon.toml_reader import Section

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\Z")
_SCHEMES: Final = ("https", "http", "file", "oci", "oci+http")
OWN: Final = "registry"
"""What a daemon's own registry is called, in `<storage>/registry`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """One registry. One of `root_digest` and `root_file` is set."""

    name: str
    url: str
    """`https://…`, `oci://…`, or a folder of this machine."""
    root_digest: str | None = None
    root_file: Path | None = None
    namespaces: tuple[str, ...] = ()
    """Looked up there and nowhere else; none: whatever no other claims."""


def read_registries(root: Section, folder: Path) -> tuple[RegistrySettings, ...]:
    """All of them, in the order of the file. What is wrong is noted in the sections."""
    found: dict[str, RegistrySettings] = {}
    claimed: dict[str, str] = {}
    for section in root.tables("registry"):
        registry = _registry(section, folder)
        if registry is None:
            continue
        if registry.name in found or registry.name == OWN:
            section.error(
                "name", f"two registries have the name '{registry.name}'", "give one another `name`"
            )
        for namespace in registry.namespaces:
            if claimed.setdefault(namespace, registry.name) != registry.name:
                message = f"'{namespace}' is looked up at '{claimed[namespace]}' already"
                section.error("namespaces", message, "name it once")
        found[registry.name] = registry
    return tuple(found.values())


def _registry(section: Section, folder: Path) -> RegistrySettings | None:
    url, name, root = section.text("url"), section.text("name"), section.text("root")
    namespaces = section.texts("namespaces")
    section.finish()
    for namespace in namespaces:
        if not is_namespace(namespace):
            section.error("namespaces", f"'{namespace}' is no namespace", "write it as before the '/'")
    if url is None:
        if "url" not in section.data:
            section.error(None, "a registry without `url`", "say where it is")
        return None
    if "://" in url and urlsplit(url).scheme not in _SCHEMES:
        section.error("url", f"'{url}' is no address of a registry", "write https://…, oci://… or a folder")
    if root is None:
        if "root" not in section.data:
            text = "a registry without `root`: nothing of it could be believed"
            section.error(None, text, f"'windlass registry add {url}' shows the digest to write here")
        return None
    address = url.rstrip("/") if "://" in url else str(folder / Path(url).expanduser())
    name = name or urlsplit(address).netloc or Path(address).name
    if not _NAME.match(name):
        section.error("name", f"'{name}' cannot be the name of a registry", "write letters, digits, '.', '-'")
    is_digest = _DIGEST.match(root) is not None
    return RegistrySettings(
        name=name,
        url=address,
        root_digest=root if is_digest else None,
        root_file=None if is_digest else folder / Path(root).expanduser(),
        namespaces=namespaces,
    )
