"""Published samples, and where they are found: what comes with Windlass, and registries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from windlass_registry.archive import digest_entries, read_folder
from windlass_registry.errors import AuthorError, OperatorError, Problem
from windlass_registry.near_words import did_you_mean
from windlass_registry.samples.manifest import SAMPLE_NAMES, Sample, read_sample
from windlass_registry.versions import Version, VersionError, VersionRange


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRelease:
    """One published version of a sample."""

    name: str
    """With its namespace, where there is one."""
    version: Version
    digest: str
    source: str
    summary: str = ""
    picture: str = ""
    """Its path in the package; '' where there is none."""
    notes: str = ""
    published: datetime | None = None
    """None: nobody says when, as of what comes with Windlass."""
    is_yanked: bool = False
    warnings: tuple[str, ...] = ()
    """What its publisher warns of, in one line each: notices, and what to use in its place."""
    load: Callable[[], Sample] = field(compare=False, repr=False)
    """Brings the package here, verified. Raises as an action's `Release.load`."""


class SampleSource(Protocol):
    """Where samples are found. Safe to use from several threads. May use the network."""

    def names(self) -> Collection[str]:
        """All samples' names."""
        ...

    def releases(self, name: str) -> Sequence[SampleRelease]:
        """The releases of a name, newest first, yanked ones included; empty for an unknown name."""
        ...


class BuiltinSamples:
    """The samples that come with Windlass, one folder each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def installed(cls) -> BuiltinSamples:
        """Those of the installed package. Raises OperatorError where it lacks them."""
        spec = find_spec("windlass_samples")
        if spec is None or not spec.submodule_search_locations:
            raise OperatorError("the samples are not installed", remedy="install Windlass again")
        return cls(Path(next(iter(spec.submodule_search_locations))))

    def names(self) -> tuple[str, ...]:
        """All samples' names, sorted."""
        found = (
            place.name
            for place in self._folder.iterdir()
            if any((place / name).is_file() for name in SAMPLE_NAMES)
        )
        return tuple(sorted(found))

    def releases(self, name: str) -> tuple[SampleRelease, ...]:
        """The one release that is installed."""
        return (self._read(name),) if name in self.names() else ()

    def folder(self, name: str) -> Path:
        """Where a sample lies."""
        return self._folder / name

    def _read(self, name: str) -> SampleRelease:
        place = self.folder(name)
        try:
            return read_release(place, name=name, source="builtin")
        except AuthorError as error:
            message = f"the built-in sample '{name}' in {place} is damaged: {error}"
            raise OperatorError(message, remedy="install Windlass again") from error


def read_release(folder: Path, *, name: str, source: str) -> SampleRelease:
    """The sample in a folder, as a release.

    Raises:
        AuthorError: there is none, or it is broken.
    """
    entries = read_folder(folder) if folder.is_dir() else []
    sample = read_sample(entries, shown_as=name)
    if sample is None:
        raise _unknown(name, f"no sample: {folder} has no sample.yml", "name a folder that has one")
    return SampleRelease(
        name=name,
        version=Version.parse(sample.manifest.version),
        digest=digest_entries(entries),
        source=source,
        summary=sample.manifest.description,
        picture=sample.manifest.picture,
        load=partial(_given, sample),
    )


def _given(sample: Sample) -> Sample:
    return sample


def find_sample(asked: str, sources: Sequence[SampleSource]) -> SampleRelease:
    """The newest release that `name`, `name@v1` or `namespace/name@v1.2` means.

    Raises:
        AuthorError: no sample has that name, or no release of it is in the range.
    """
    return usable_releases(asked, sources)[0]


def usable_releases(asked: str, sources: Sequence[SampleSource]) -> tuple[SampleRelease, ...]:
    """Every release that may be taken for what is asked, newest first. Raises as `find_sample`."""
    name, _, wanted = asked.partition("@")
    releases = [release for source in sources for release in source.releases(name)]
    if not releases:
        names = sorted({name for source in sources for name in source.names()})
        raise _unknown(
            asked, f"no sample is called '{name}'", did_you_mean(name, names) or "see 'windlass samples'"
        )
    try:
        allowed = VersionRange.parse(wanted) if wanted else None
    except VersionError as error:
        raise _unknown(asked, str(error), f"write '{name}@v{releases[0].version.major}'") from error
    fitting = [
        release
        for release in releases
        if (allowed is None and not release.version.pre)
        or (allowed is not None and allowed.contains(release.version))
    ]
    usable = [
        release for release in fitting if not release.is_yanked or (allowed is not None and allowed.is_exact)
    ]
    if not usable:
        there = ", ".join(f"{one.version}{' (yanked)' if one.is_yanked else ''}" for one in releases[:10])
        raise _unknown(asked, f"no release of '{name}' matches '{wanted or 'any'}'", f"there are: {there}")
    return tuple(sorted(usable, key=lambda release: release.version, reverse=True))


def _unknown(asked: str, message: str, remedy: str) -> AuthorError:
    return AuthorError(Problem(path=asked, line=0, column=0, message=message, remedy=remedy))
