"""What a subscription writes, and what an upgrade changes: pure, but for the merge that it is given.

An upgrade looks at each file three ways: as the old release wrote it (`base`), as it lies in the repository
(`ours`), and as the new release writes it (`theirs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from windlass_registry.documents import Value
from windlass_registry.samples.filling import fill
from windlass_registry.samples.manifest import Sample

WORKFLOWS: Final = ".windlass/workflows"
Outcome = Literal["written", "kept", "merged", "conflict", "deleted", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file's bytes as they are to lie in a working tree."""

    content: bytes
    is_executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one file. `file` is None where it goes (`deleted`) or is left (`kept`, `unchanged`)."""

    path: str
    outcome: Outcome
    file: File | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A three-way merge: the text, with conflict markers where `conflicts` is above 0. `is_marked`: a merge
    into the same release has left its markers here already, and nothing was merged on top of them."""

    content: bytes
    conflicts: int
    is_marked: bool = False


Merge = Callable[[bytes, bytes, bytes], Merged]
"""Merges ours, base and theirs."""


def workflow_path(name: str) -> str:
    """Where the workflow of a subscription lies."""
    return f"{WORKFLOWS}/{name}.yaml"


def files_of(
    sample: Sample, values: Mapping[str, Value], *, name: str, folder: str, shown_as: str
) -> dict[str, File]:
    """All files of a sample for one subscriber, by path from the repository's root. Raises as `fill`."""
    where = f"{shown_as}/{sample.manifest.workflow}"
    text = fill(sample.template, values, name=name, folder=folder, path=where)
    found = {workflow_path(name): File(content=text.encode())}
    for path, entry in sample.files.items():
        if entry.target is None:
            found[f"{folder}/{path}"] = File(content=entry.content, is_executable=entry.is_executable)
    return found


def upgrade(
    *,
    base: Mapping[str, bytes | None],
    ours: Mapping[str, bytes | None],
    theirs: Mapping[str, File],
    merge: Merge,
) -> tuple[Change, ...]:
    """What becomes of every file. `base` and `ours` hold a path's bytes, None where it is not there (or, for
    `base`, where nobody knows any more)."""
    paths = sorted({*base, *theirs})
    return tuple(
        _change(path, base.get(path), ours.get(path), theirs.get(path), merge, was_ours=path in base)
        for path in paths
    )


def _change(
    path: str, base: bytes | None, ours: bytes | None, theirs: File | None, merge: Merge, *, was_ours: bool
) -> Change:
    wanted = None if theirs is None else theirs.content
    if ours == wanted:
        return Change(path=path, outcome="unchanged")
    if theirs is None:
        if ours is not None and ours == base:
            return Change(path=path, outcome="deleted", note="the sample has it no more")
        return Change(path=path, outcome="kept", note="the sample has it no more, and you changed it")
    if ours is None:
        if was_ours:
            return Change(path=path, outcome="kept", note="you deleted it")
        return Change(path=path, outcome="written", file=theirs, note="new in this release")
    if was_ours and ours == base:
        return Change(path=path, outcome="written", file=theirs)
    if was_ours and wanted == base:
        return Change(path=path, outcome="kept", note="yours; the sample did not change it")
    return _merge(path, base or b"", ours, theirs, merge)


def _merge(path: str, base: bytes, ours: bytes, theirs: File, merge: Merge) -> Change:
    if any(b"\0" in content for content in (base, ours, theirs.content)):
        note = "not text, and changed on both sides: yours stays"
        return Change(path=path, outcome="conflict", note=note)
    merged = merge(ours, base, theirs.content)
    if merged.is_marked:
        return Change(path=path, outcome="conflict", note="still to be settled")
    file = File(content=merged.content, is_executable=theirs.is_executable)
    if merged.conflicts:
        note = f"{merged.conflicts} {'place' if merged.conflicts == 1 else 'places'} changed on both sides"
        return Change(path=path, outcome="conflict", file=file, note=note)
    return Change(path=path, outcome="merged", file=file)
