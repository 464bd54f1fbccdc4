"""Reads one package folder. Called by the sources."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_registry.archive import Entry, digest_entries, read_folder
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.graph_parts import with_own_folders
from windlass_registry.manifest import ActionManifest, PythonRuns, parse_manifest

MANIFEST_NAMES: Final = ("action.yml", "action.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package on this machine: its manifest, its identity and its folder, read together."""

    manifest: ActionManifest
    digest: str
    folder: Path
    """Read-only for everyone."""


def load_package(folder: Path, *, shown_as: str) -> Package | None:
    """Read a folder as an action; None where it has no manifest.

    `shown_as` is the folder's name in problems: '' for a repository's root, whose hidden files and
    folders are then no part of the action.

    Raises:
        AuthorError: the folder or its manifest is broken.
    """
    entries = {entry.name: entry for entry in read_folder(folder, skips_hidden=not shown_as)}
    manifest = manifest_of(entries, shown_as=shown_as)
    if manifest is None:
        return None
    return Package(manifest=manifest, digest=digest_entries(entries.values()), folder=folder)


def manifest_of(entries: Mapping[str, Entry], *, shown_as: str) -> ActionManifest | None:
    """The manifest among a package's files; None where there is none.

    Raises:
        AuthorError: it is broken.
    """
    name = next((name for name in MANIFEST_NAMES if name in entries), None)
    if name is None:
        return None
    path = f"{shown_as}/{name}" if shown_as else name
    manifest = parse_manifest(_content(entries, name), path=path)
    manifest = with_own_folders(
        manifest, entries, lambda files, shown: manifest_of(files, shown_as=shown), shown_as=shown_as
    )
    if isinstance(manifest.runs, PythonRuns):
        for file in (manifest.runs.main, manifest.runs.requirements):
            if file is not None and file.removeprefix("./") not in entries:
                raise AuthorError(
                    Problem(
                        path=path,
                        line=0,
                        column=0,
                        message=f"the action's folder has no file '{file}'",
                        remedy="add it, or mend 'runs'",
                    )
                )
    return manifest


def _content(entries: Mapping[str, Entry], name: str) -> bytes:
    """What a file holds; a link leads to a file at once, or to nothing (see `archive`)."""
    found = entries[name]
    if found.target is not None:
        found = entries.get(posixpath.normpath(found.target), Entry(name=name))
    return found.content
