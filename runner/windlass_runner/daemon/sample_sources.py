"""Where the daemon looks samples up: what comes with Windlass, then the registries of its settings.

Never in a folder of this machine, whatever a repository asks for: its files are its owner's alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from windlass_registry.catalog import Registry
from windlass_registry.samples.releases import BuiltinSamples, SampleRelease, SampleSource
from windlass_registry.sources.pinning import PinningSource
from windlass_registry.sources.registry_samples import RegistrySamples


class PinnedSamples:
    """The samples of one registry of the settings, in the namespaces that are looked up there. Implements
    `samples.releases.SampleSource`."""

    def __init__(self, source: PinningSource, *, only: frozenset[str] | None, others: frozenset[str]) -> None:
        """`only`: its namespaces, None for all but those that `others` claim."""
        self._source = source
        self._only = only
        self._others = others

    def names(self) -> tuple[str, ...]:
        """See `SampleSource`."""
        found = self._source.opened()
        return () if found is None else tuple(filter(self._has, RegistrySamples(found).names()))

    def releases(self, name: str) -> tuple[SampleRelease, ...]:
        """See `SampleSource`."""
        found = self._source.opened() if self._has(name) else None
        return () if found is None else RegistrySamples(found).releases(name)

    def _has(self, name: str) -> bool:
        namespace, slash, _ = name.partition("/")
        if not slash:
            return False
        return namespace in self._only if self._only is not None else namespace not in self._others


def open_samples(registries: Sequence[Registry]) -> tuple[SampleSource, ...]:
    """All of them, in the order to ask. Nothing is read yet."""
    claimed = frozenset[str]().union(*(each.namespaces or () for each in registries))
    pinned = (
        PinnedSamples(each.source, only=each.namespaces, others=claimed)
        for each in registries
        if isinstance(each.source, PinningSource)
    )
    return (BuiltinSamples.installed(), *pinned)
