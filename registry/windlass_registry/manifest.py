"""An action's manifest (`action.yml`): GitHub's metadata format plus what Windlass adds.

The format's source: https://docs.github.com/actions/reference/metadata-syntax-reference

A manifest with a `version` is written for Windlass: what it says is held to the letter. One without
is GitHub's: keys that GitHub passes over in silence are passed over here too, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import Final

import yaml

from windlass_registry.documents import Value, compose, is_null, value_of
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest_app import read_app
from windlass_registry.manifest_inputs import check_example, read_inputs, read_outputs
from windlass_registry.manifest_model import (
    ActionInput,
    ActionManifest,
    ActionOutput,
    ActionStep,
    ApprovalRuns,
    Code,
    CompositeRuns,
    DockerRuns,
    Example,
    GraphPart,
    GraphRuns,
    InputType,
    NodeRuns,
    PythonRuns,
    Runs,
    ServedApp,
)
from windlass_registry.manifest_runs import read_runs
from windlass_registry.near_words import did_you_mean
from windlass_registry.reader import Reader
from windlass_registry.versions import Version, VersionError

MANIFEST_KEYS: Final = (
    "name",
    "description",
    "author",
    "version",
    "deterministic",
    "inputs",
    "outputs",
    "runs",
    "metrics",
    "permissions",
    "resources",
    "app",
    "examples",
    "branding",
)
RESOURCE_KEYS: Final = ("gpu", "cpu", "memory", "shm-size", "instance-type", "labels")
PERMISSION_KEYS: Final = ("network", "secrets", "cache")
EXAMPLE_KEYS: Final = ("name", "description", "with", "inputs", "outputs", "needs")
EXAMPLE_NEEDS: Final = ("network", "secrets", "files")
"""Other machines; secrets of the user's; files of the repository that the action is used in."""


def parse_manifest(source: bytes | str, *, path: str) -> ActionManifest:
    """Read an `action.yml`. `path` is where its problems are reported.

    Raises:
        AuthorError: every problem of the file, each at its place.
    """
    root = compose(source, path=path)
    if root is None:
        raise AuthorError(Problem(path=path, line=1, column=1, message="the manifest is empty"))
    reader = Reader(path)
    manifest = _ManifestReader(reader, root).read()
    reader.raise_if_broken()
    if isinstance(manifest.runs, GraphRuns):
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
        return replace(manifest, runs=replace(manifest.runs, source=text, path=path))
    return manifest


def _place(problem: Problem) -> tuple[int, int]:
    return (problem.line, problem.column)


class _ManifestReader:
    """One pass over the top level of a manifest."""

    def __init__(self, reader: Reader, root: yaml.Node) -> None:
        self.reader = reader
        self.root = root
        entries = reader.entries(root, "the manifest")
        self.is_strict = "version" in entries
        self.say: Callable[..., None] = reader.error if self.is_strict else reader.warn
        self.fields: dict[str, yaml.Node] = {}
        for name, (key, value) in entries.items():
            if name not in MANIFEST_KEYS:
                self.say(key, f"unknown key '{name}' in the manifest", did_you_mean(name, MANIFEST_KEYS))
            elif not is_null(value):
                self.fields[name] = value

    def read(self) -> ActionManifest:
        """The manifest; of no use where the reader has noted an error."""
        is_mapping = isinstance(self.root, yaml.MappingNode)
        if "runs" not in self.fields and is_mapping:
            self.reader.error(self.root, "the manifest needs 'runs'", "say with 'using' how the action runs")
        name = self._name() if is_mapping else ""
        inputs = read_inputs(self.reader, self.fields.get("inputs"), is_strict=self.is_strict)
        runs_node = self.fields.get("runs")
        runs = None if runs_node is None else read_runs(self.reader, runs_node, is_strict=self.is_strict)
        outputs = read_outputs(
            self.reader,
            self.fields.get("outputs"),
            takes_values=isinstance(runs, CompositeRuns | GraphRuns),
            is_strict=self.is_strict,
        )
        manifest = ActionManifest(
            name=name,
            description=self._text("description"),
            author=self._text("author"),
            version=self._version(),
            is_deterministic=self._deterministic(),
            inputs=inputs,
            outputs=outputs,
            runs=runs or CompositeRuns(steps=()),
            metrics=self._metrics(),
            permissions=self._known("permissions", PERMISSION_KEYS),
            resources=self._known("resources", RESOURCE_KEYS),
            app=self._app(),
            examples=self._examples(inputs),
            branding=self._branding(),
        )
        return replace(manifest, warnings=tuple(sorted(self.reader.problems, key=_place)))

    def _name(self) -> str:
        if "name" in self.fields:
            return self._text("name")
        self.say(self.root, "the manifest needs 'name'")
        return PurePath(self.reader.path).parent.name

    def _text(self, key: str) -> str:
        node = self.fields.get(key)
        return "" if node is None else self.reader.text(node, f"'{key}'") or ""

    def _version(self) -> str | None:
        node = self.fields.get("version")
        text = None if node is None else self.reader.text(node, "'version'")
        if node is None or text is None:
            return None
        try:
            return str(Version.parse(text))
        except VersionError as error:
            self.reader.error(node, str(error), "write three numbers, such as 1.0.0")
            return None

    def _deterministic(self) -> bool:
        node = self.fields.get("deterministic")
        return node is not None and bool(self.reader.truth(node, "'deterministic'"))

    def _metrics(self) -> tuple[str, ...]:
        node = self.fields.get("metrics")
        if node is None:
            return ()
        if isinstance(node, yaml.MappingNode):
            return tuple(self.reader.entries(node, "'metrics'"))
        return tuple(self.reader.texts(node, "'metrics'"))

    def _known(self, key: str, known: tuple[str, ...]) -> dict[str, Value]:
        node = self.fields.get(key)
        if node is None:
            return {}
        return {name: value_of(value) for name, value in self.reader.fields(node, f"'{key}'", known).items()}

    def _app(self) -> ServedApp | None:
        node = self.fields.get("app")
        return None if node is None else read_app(self.reader, node)

    def _branding(self) -> dict[str, str]:
        node = self.fields.get("branding")
        found: dict[str, str] = {}
        for name, (key, value) in self.reader.entries(node, "'branding'").items() if node is not None else ():
            if name not in ("icon", "color"):
                self.say(key, f"unknown key '{name}' in 'branding'", did_you_mean(name, ("icon", "color")))
            elif not is_null(value):
                found[name] = self.reader.text(value, f"'{name}'") or ""
        return found

    def _examples(self, inputs: dict[str, ActionInput]) -> tuple[Example, ...]:
        node = self.fields.get("examples")
        items = [] if node is None else self.reader.items(node, "'examples'")
        return tuple(self._example(item, inputs) for item in items)

    def _example(self, node: yaml.Node, inputs: dict[str, ActionInput]) -> Example:
        fields = self.reader.fields(node, "an example", EXAMPLE_KEYS)
        if "name" not in fields:
            self.reader.error(node, "an example needs 'name'", "say in a few words what it shows")
        check_example(self.reader, node, fields.get("with"), inputs, handed=fields.get("inputs"))
        name = self.reader.text(fields["name"], "'name'") if "name" in fields else None
        about = self.reader.text(fields["description"], "'description'") if "description" in fields else None
        needs = self.reader.items_or_one(fields["needs"], "'needs'") if "needs" in fields else []
        return Example(
            name=name or "",
            description=about or "",
            with_=self._mapping(fields.get("with"), "'with'"),
            inputs=self._mapping(fields.get("inputs"), "'inputs'"),
            outputs=self._mapping(fields.get("outputs"), "'outputs'"),
            needs=tuple(self.reader.choice(each, "'needs'", EXAMPLE_NEEDS) or "" for each in needs),
        )

    def _mapping(self, node: yaml.Node | None, what: str) -> dict[str, Value]:
        if node is None:
            return {}
        return {name: value_of(value) for name, (_, value) in self.reader.entries(node, what).items()}


__all__ = [
    "ActionInput",
    "ActionManifest",
    "ActionOutput",
    "ActionStep",
    "ApprovalRuns",
    "Code",
    "CompositeRuns",
    "DockerRuns",
    "Example",
    "GraphPart",
    "GraphRuns",
    "InputType",
    "NodeRuns",
    "PythonRuns",
    "Runs",
    "ServedApp",
    "parse_manifest",
]
