"""Where the commands look for samples: what comes with Windlass, then the registries that are known."""

from __future__ import annotations

from windlass_registry.samples.releases import BuiltinSamples, SampleSource
from windlass_runner.commands.invocation import Invocation


def sample_sources(invocation: Invocation) -> tuple[SampleSource, ...]:
    """All sources, in the order to ask."""
    return (BuiltinSamples.installed(),)
