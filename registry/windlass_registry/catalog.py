"""All that a `uses` can be looked up in, in one: what is built in, the registries of the settings.

Made once by the daemon's wiring or by a command, and handed down to whoever resolves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from windlass_registry.index import Source
from windlass_registry.refs import RegistryRef
from windlass_registry.sources.builtin import load_builtin


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry of the settings."""

    name: str
    """Its host, as it may stand before a namespace in a `uses`: `registry.example.org`."""
    source: Source
    namespaces: frozenset[str] | None = None
    """The namespaces that are looked up there; None: all."""


class Catalog:
    """Which source answers for which reference. Holds no releases. Safe to use from several threads."""

    def __init__(self, *, builtin: Source, registries: Sequence[Registry] = ()) -> None:
        self._builtin = builtin
        self._registries = tuple(registries)

    @classmethod
    def of_builtin(cls) -> Catalog:
        """What comes with Windlass, and nothing else."""
        return cls(builtin=load_builtin())

    def sources(self, ref: RegistryRef) -> tuple[Source, ...]:
        """Who may answer for a reference, in the order to ask.

        Names without a namespace are the built-in actions' alone: no registry can answer for them.
        """
        if ref.namespace is None and ref.host is None:
            return (self._builtin,)
        return tuple(
            registry.source
            for registry in self._registries
            if (ref.host is None or ref.host == registry.name)
            and (registry.namespaces is None or ref.namespace in registry.namespaces)
        )
