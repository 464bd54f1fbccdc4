"""The actions in the own folders of a package that is a graph: read with it, and known beside it.

They are pinned by the package: its digest is over their files too. Called by `sources.packages`; what a lock
makes of them stands in `lock_parts`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import yaml

from windlass_registry.archive import Entry, digest_entries
from windlass_registry.documents import Position, compose, merged_items
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import ActionManifest, GraphPart, GraphRuns
from windlass_registry.manifest_runs import is_own_folder
from windlass_registry.refs import LocalRef, RefError, parse_uses

ReadPart = Callable[[Mapping[str, Entry], str], ActionManifest | None]
"""Reads the manifest among the files of a folder, whose name comes second; None: there is none."""


def with_own_folders(
    manifest: ActionManifest, entries: Mapping[str, Entry], read: ReadPart, *, shown_as: str
) -> ActionManifest:
    """The manifest with the actions in the package's folders that its graph uses: of one that is a graph
    again, `read` gives it with those in its own.

    Raises:
        AuthorError: a folder that is not there, that holds no action, or one that is broken.
    """
    if not isinstance(manifest.runs, GraphRuns):
        return manifest
    runs = manifest.runs
    parts: dict[str, GraphPart] = {}
    for path, at in _own_folders(runs):
        if path not in parts:
            parts[path] = _read(path, entries, read, shown_as=shown_as, runs=runs, at=at)
    return replace(manifest, runs=replace(runs, parts=parts))


def _read(
    path: str, entries: Mapping[str, Entry], read: ReadPart, *, shown_as: str, runs: GraphRuns, at: Position
) -> GraphPart:
    below = {name: entry for name, entry in entries.items() if name.startswith(f"{path}/")}
    files = {name[len(path) + 1 :]: replace(each, name=name[len(path) + 1 :]) for name, each in below.items()}
    if not path:
        message = "the graph uses its own package's root, which is itself"
        raise AuthorError(_problem(runs, at, message, "name a folder below it, such as './train'"))
    manifest = read(files, posixpath.join(shown_as, path))
    if manifest is None:
        message = f"the package has no action in its folder './{path}'"
        remedy = "write an action.yml there, or name another folder below that of this file"
        raise AuthorError(_problem(runs, at, message, remedy))
    return GraphPart(manifest=manifest, digest=digest_entries(files.values()))


def _own_folders(runs: GraphRuns) -> Iterator[tuple[str, Position]]:
    """The folders of the package that its jobs and their steps name."""
    for node in _uses_nodes(compose(runs.source, path=runs.path)):
        if not is_own_folder(node.value.strip()):
            continue
        try:
            ref = parse_uses(node.value.strip())
        except RefError as error:
            raise AuthorError(_problem(runs, Position.of(node), error.message, error.remedy)) from error
        assert isinstance(ref, LocalRef)
        yield ref.path, Position.of(node)


def _uses_nodes(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    for job in _values(_value(_value(root, "runs"), "jobs")):
        steps = _value(job, "steps")
        for each in (job, *(steps.value if isinstance(steps, yaml.SequenceNode) else ())):
            uses = _value(each, "uses")
            if isinstance(uses, yaml.ScalarNode):
                yield uses


def _values(node: yaml.Node | None) -> list[yaml.Node]:
    return [value for _, value in merged_items(node)] if isinstance(node, yaml.MappingNode) else []


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    items = merged_items(node) if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in items if key.value == name), None)


def _problem(runs: GraphRuns, at: Position, message: str, remedy: str | None) -> Problem:
    return Problem(path=runs.path, line=at.line, column=at.column, message=message, remedy=remedy)
