"""What every `uses` of a workflow means: found just now (`Lock`), or pinned in a file (`LockFile`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windlass_registry.manifest import ActionManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedAction:
    """The one package that a `uses` text means."""

    uses: str
    name: str
    version: str | None
    """None for a folder of the repository: its commit is its version."""
    digest: str
    source: str
    """Where it came from: `builtin`, `local`."""
    folder: Path
    """Where it lies on this machine; read-only for everyone."""
    manifest: ActionManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One entry of a lock file."""

    name: str
    version: str | None
    digest: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """What `.windlass/lock.yaml` pins, by `uses` text."""

    pins: Mapping[str, Pin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a set of references resolved to: the whole closure, keyed by the `uses` text."""

    actions: Mapping[str, ResolvedAction] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """Yanked releases that a pin or an exact version still chose."""
    unpinned: tuple[str, ...] = ()
    """`uses` texts that the lock given to `resolve` did not pin, though a lock was given."""

    def pins(self) -> LockFile:
        """What a lock file keeps of this: everything but the repository's own folders."""
        return LockFile(
            pins={
                uses: Pin(
                    name=action.name, version=action.version, digest=action.digest, source=action.source
                )
                for uses, action in self.actions.items()
                if action.source != "local"
            }
        )
