"""Where the commands look for samples: what comes with Windlass, then the registries that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from windlass_registry.errors import OperatorError
from windlass_registry.samples.releases import (
    BuiltinSamples,
    SampleRelease,
    SampleSource,
    find_sample,
    read_release,
)
from windlass_registry.samples.subscriptions import Subscription
from windlass_registry.sources.registry_samples import RegistrySamples
from windlass_registry.versions import Version
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import believed_registries, open_source
from windlass_runner.upkeep.sample_updates import is_folder


def sample_sources(invocation: Invocation) -> tuple[SampleSource, ...]:
    """All sources, in the order to ask."""
    known = believed_registries(invocation)
    registries = (RegistrySamples(open_source(each.registry, invocation)) for each in known)
    return (BuiltinSamples.installed(), *registries)


def look_up_sample(asked: str, invocation: Invocation) -> SampleRelease:
    """The release that `name`, `name@v1`, `namespace/name@v1` or `./folder` means."""
    if is_folder(asked):
        return read_release((invocation.folder / asked).resolve(), name=asked, source="folder")
    return find_sample(asked, sample_sources(invocation))


def release_of(sample: str, version: str, invocation: Invocation) -> SampleRelease:
    """That very release of a sample subscribed to as `sample`. Raises AuthorError where it is gone."""
    if is_folder(sample):
        return look_up_sample(sample, invocation)
    return look_up_sample(f"{sample.partition('@')[0]}@v{version}", invocation)


def newer_release(one: Subscription, invocation: Invocation) -> SampleRelease | None:
    """The release in a subscription's range that it does not have; None where it has the newest. Back to an
    older one, because a newer was yanked, leads no update. Raises as `look_up_sample`."""
    release = look_up_sample(one.sample, invocation)
    is_older = not is_folder(one.sample) and release.version < Version.parse(one.version)
    return None if is_older or release.digest == one.digest else release


def with_range(one: Subscription, wanted: str) -> Subscription:
    """A subscription that is to follow another range, such as `v2`; '' stands for its own."""
    if not wanted:
        return one
    if is_folder(one.sample):
        raise OperatorError(f"'{one.name}' comes from a folder: it has one release", remedy="name it alone")
    return replace(one, sample=f"{one.sample.partition('@')[0]}@{wanted}")


def as_recorded(asked: str, release: SampleRelease, invocation: Invocation) -> str:
    """What a subscription keeps: a range, so that updates have one, or the whole path of a folder."""
    if is_folder(asked):
        return str(Path(invocation.folder / asked).resolve())
    return asked if "@" in asked else f"{release.name}@v{release.version.major}"
