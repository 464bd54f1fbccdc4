"""The registries that a person believes: which, where, and by which root. One file of their settings.

A list of our own and not a TOML file of theirs, for commands write it: `windlass registry add`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.files import write_whole
from windlass_registry.sources.registry import RegistryAddress

_KEYS: Final = {"name", "address", "root", "namespaces"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRegistry:
    """One of them."""

    registry: RegistryAddress
    namespaces: tuple[str, ...] = ()
    """Looked up there and nowhere else; none: whatever nobody else claims."""


class KnownRegistries:
    """The list in a folder of settings: `registries.json`, and each root beside it as it was pinned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "registries.json"

    def load(self) -> tuple[KnownRegistry, ...]:
        """All of them, in their order.

        Raises:
            OperatorError: the list or a root is damaged.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise self._broken(str(error)) from error
        try:
            return tuple(self._entry(each) for each in json.loads(text)["registries"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._broken(str(error)) from error

    def add(self, known: KnownRegistry) -> None:
        """Put one at the end; the same registry again may have another address.

        Raises:
            OperatorError: another registry has that name, or the folder cannot be written to.
        """
        self.refuse_other(known.registry.name, root=known.registry.root)
        others = [each for each in self.load() if each.registry.name != known.registry.name]
        try:
            write_whole(self._root(known.registry.name), known.registry.root)
        except OSError as error:
            raise OperatorError(f"cannot write into {self.folder}: {error}") from error
        self._save([*others, known])

    def refuse_other(self, name: str, *, root: bytes | None = None) -> None:
        """Raise OperatorError where a registry with another root has that name."""
        for each in self.load():
            if each.registry.name == name and each.registry.root != root:
                raise OperatorError(
                    f"another registry is called '{name}' here: {each.registry.address}",
                    remedy="choose another name with --name, or forget that one: windlass registry remove "
                    f"{name}",
                )

    def remove(self, name: str) -> None:
        """Forget one, its root too.

        Raises:
            OperatorError: there is none of that name.
        """
        known = self.load()
        left = [each for each in known if each.registry.name != name]
        if len(left) == len(known):
            raise OperatorError(f"no registry '{name}' is known here", remedy="see 'windlass registry list'")
        self._save(left)
        self._root(name).unlink(missing_ok=True)

    def _entry(self, value: Any) -> KnownRegistry:
        if set(value) != _KEYS:
            raise ValueError("unknown fields")
        name = str(value["name"])
        return KnownRegistry(
            registry=RegistryAddress(
                name=name, address=str(value["address"]), root=self._root(name).read_bytes()
            ),
            namespaces=tuple(str(each) for each in value["namespaces"]),
        )

    def _save(self, known: Iterable[KnownRegistry]) -> None:
        listed = [
            {
                "name": each.registry.name,
                "address": each.registry.address,
                "root": self._root(each.registry.name).name,
                "namespaces": list(each.namespaces),
            }
            for each in known
        ]
        try:
            write_whole(self.path, json.dumps({"registries": listed}, indent=1).encode())
        except OSError as error:
            raise OperatorError(f"cannot write {self.path}: {error}") from error

    def _root(self, name: str) -> Path:
        return self.folder / f"root-of-{name.replace(os.sep, '-').replace(':', '-')}.json"

    def _broken(self, why: str) -> OperatorError:
        return OperatorError(
            f"the list of registries {self.path} is damaged: {why}",
            remedy="delete it, and add the registries again with 'windlass registry add'",
        )
