"""The samples of a registry. Implements `samples.releases.SampleSource`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from windlass_registry.archive import read_folder
from windlass_registry.errors import OperatorError
from windlass_registry.releases import ReleaseFacts
from windlass_registry.samples.manifest import Sample, read_sample
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.sources.registry import RegistrySource


class RegistrySamples:
    """Reads one registry's samples. Safe to use from several threads."""

    def __init__(self, source: RegistrySource) -> None:
        self._source = source

    def names(self) -> tuple[str, ...]:
        """As the registry's index for searching has them."""
        found = (
            str(each.get("name", "")) for each in self._source.packages() if each.get("kind") == "sample"
        )
        return tuple(sorted(found))

    def releases(self, name: str) -> tuple[SampleRelease, ...]:
        """The releases of a sample, newest first. A name without a namespace is none of a registry's."""
        if "/" not in name:
            return ()
        return tuple(self._release(facts) for facts in self._source.facts(name) if facts.kind == "sample")

    def _release(self, facts: ReleaseFacts) -> SampleRelease:
        return SampleRelease(
            name=facts.name,
            version=facts.version,
            digest=facts.digest,
            source=self._source.registry.name,
            summary=facts.summary,
            picture=facts.picture,
            notes=facts.notes,
            published=facts.published,
            is_yanked=facts.yanked is not None,
            warnings=tuple(_warnings(facts)),
            load=partial(self._load, facts),
        )

    def _load(self, facts: ReleaseFacts) -> Sample:
        sample = read_sample(read_folder(self._source.fetch(facts, purpose="subscribe")), shown_as=facts.path)
        if sample is None:
            raise OperatorError(f"{facts.path} holds no sample", remedy="tell its publisher")
        return sample


def _warnings(facts: ReleaseFacts) -> Iterator[str]:
    yield from (notice.line() for notice in facts.advisories)
    if facts.yanked is not None:
        yield f"yanked: {facts.yanked.reason}"
    if facts.deprecated is not None:
        yield f"deprecated: {facts.deprecated.successor or facts.deprecated.reason}"
