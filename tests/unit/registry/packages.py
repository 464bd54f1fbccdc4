"""Packages and releases for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_registry.index import Index, Release
from windlass_registry.lock import ResolvedAction
from windlass_registry.manifest import parse_manifest
from windlass_registry.refs import LocalRef, RefError
from windlass_registry.sources.packages import Package
from windlass_registry.versions import Version

SHELL = "name: n\nruns: {using: composite, steps: [{run: 'true'}]}\n"


def using(*uses: str) -> str:
    """The manifest of a composite action that uses others."""
    steps = ", ".join(f"{{uses: '{each}'}}" for each in uses)
    return f"name: n\nruns: {{using: composite, steps: [{steps}]}}\n"


def digest_of(name: str, version: str) -> str:
    """A made-up digest, one for each release."""
    return "sha256:" + (name + version).encode().hex().ljust(64, "0")[:64]


def release(
    name: str,
    version: str,
    *,
    manifest: str = SHELL,
    source: str = "builtin",
    kind: str = "action",
    published: datetime | None = None,
    notes: str = "",
    yanked: str | None = None,
    deprecated: str | None = None,
    statement: str | None = None,
) -> Release:
    """A release of an index."""
    package = Package(
        manifest=parse_manifest(manifest, path=f"{name}/action.yml"),
        digest=digest_of(name, version),
        folder=Path("/packages") / name,
    )
    return Release(
        name=name,
        version=Version.parse(version),
        digest=package.digest,
        source=source,
        kind=kind,
        uses=package.manifest.uses(),
        published=published,
        notes=notes,
        yanked=yanked,
        deprecated=deprecated,
        statement=statement,
        load=lambda: package,
    )


def catalog(*releases: Release) -> Catalog:
    """A catalog that has them as built-in actions."""
    return Catalog(builtin=Index.of(releases))


def folders(**manifests: str) -> Callable[[LocalRef], ResolvedAction]:
    """A repository's own actions, by path."""

    def load(ref: LocalRef) -> ResolvedAction:
        if ref.path not in manifests:
            raise RefError(f"the repository has no folder './{ref.path}'", remedy="write a path")
        return ResolvedAction(
            uses=f"./{ref.path}",
            name=f"./{ref.path}",
            version=None,
            digest=digest_of("local", ref.path),
            source="local",
            folder=Path("/repository") / ref.path,
            manifest=parse_manifest(manifests[ref.path], path=f"{ref.path}/action.yml"),
        )

    return load
