"""What every `uses` of a workflow means: found just now (`Lock`), or pinned in a file (`LockFile`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windlass_registry.choosing import HeldBack
from windlass_registry.manifest import ActionManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedAction:
    """The one package that a `uses` text means."""

    uses: str
    name: str
    version: str | None
    """None for a folder of the repository (its commit is its version) and for a git source."""
    commit: str | None = None
    """The commit of a git source."""
    digest: str
    source: str
    """Where it came from: `builtin`, `local`, the name of a registry, `git+` and an address."""
    folder: Path
    """Where it lies on this machine; read-only for everyone."""
    manifest: ActionManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One entry of a lock file."""

    name: str
    version: str | None = None
    commit: str | None = None
    """For a git source: the commit that its ref meant."""
    digest: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePin:
    """Which image a name means: by its registry's digest, or, where no registry has it, by its local id."""

    digest: str | None = None
    """`name@sha256:…`: the same on every machine."""
    local_id: str | None = None
    """`sha256:…`: only on machines that have this very image."""

    @property
    def reference(self) -> str:
        """What an engine is asked for."""
        return self.digest or self.local_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """What `.windlass/lock.yaml` pins: actions by `uses` text, images by name, data by reference."""

    pins: Mapping[str, Pin] = field(default_factory=dict)
    images: Mapping[str, ImagePin] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    """Versions by reference. Kept as they were read: nothing here can look them up yet."""
    models: Mapping[str, str] = field(default_factory=dict)
    """As `datasets`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a set of references resolved to: the whole closure, keyed by the `uses` text."""

    actions: Mapping[str, ResolvedAction] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """Yanked and deprecated releases that were still chosen."""
    unpinned: tuple[str, ...] = ()
    """`uses` texts that the lock given to `resolve` did not pin, though a lock was given."""
    held_back: Mapping[str, tuple[HeldBack, ...]] = field(default_factory=dict)
    """Releases that are too young, by `uses` text, newest first."""
    young: frozenset[str] = frozenset()
    """`uses` texts that mean one of these: nothing older fits."""

    images: Mapping[str, ImagePin] = field(default_factory=dict)
    """What a lock file pins beside actions, as `LockFile` has it; `resolve` leaves these empty."""
    datasets: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    def pins(self) -> LockFile:
        """What a lock file keeps of this: everything but the repository's own folders."""
        return LockFile(
            pins={
                uses: Pin(
                    name=action.name,
                    version=action.version,
                    commit=action.commit,
                    digest=action.digest,
                    source=action.source,
                )
                for uses, action in self.actions.items()
                if action.source != "local"
            },
            images=self.images,
            datasets=self.datasets,
            models=self.models,
        )
