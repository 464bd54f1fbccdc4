"""Reads `runs` of a manifest: how the action does its work. Called by `manifest`."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final

import yaml

from windlass_registry.documents import Reader, Value, did_you_mean, is_null
from windlass_registry.manifest_model import CompositeRuns, DockerRuns, OtherRuns, PythonRuns, Runs
from windlass_registry.manifest_steps import read_env, read_steps

RUNS_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "docker": (
        "image",
        "entrypoint",
        "args",
        "env",
        "pre-entrypoint",
        "post-entrypoint",
        "pre-if",
        "post-if",
    ),
    "composite": ("steps",),
    "python": ("main", "image", "requirements"),
    "workflow": ("main", "jobs", "inputs", "env", "defaults"),
    **dict.fromkeys(
        ("node12", "node16", "node20", "node24"), ("main", "pre", "post", "pre-if", "post-if", "env")
    ),
}
"""Every `runs.using`, with the keys that stand beside it."""


def read_runs(reader: Reader, node: yaml.Node, *, is_strict: bool) -> Runs | None:
    """`runs`, or None after noting what is wrong with it."""
    entries = reader.entries(node, "'runs'")
    if "using" not in entries:
        if isinstance(node, yaml.MappingNode) or is_null(node):
            reader.error(node, "'runs' needs 'using'", "write one of " + ", ".join(sorted(RUNS_KEYS)))
        return None
    using_node = entries["using"][1]
    written = reader.text(using_node, "'using'")
    using = (written or "").lower()
    if using not in RUNS_KEYS:
        if written is not None:
            reader.error(using_node, f"'using' cannot be '{written}'", did_you_mean(written, RUNS_KEYS))
        return None
    known = ("using", *RUNS_KEYS[using])
    for name, (key, _) in entries.items():
        if name not in known:
            say = reader.error if is_strict else reader.warn
            say(key, f"unknown key '{name}' in 'runs' with 'using: {using}'", did_you_mean(name, known))
    fields = {name: value for name, (_, value) in entries.items() if name in known and not is_null(value)}
    return _READERS.get(using, _other)(reader, node, using, fields)


def _needed(
    reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node], key: str
) -> str | None:
    if key not in fields:
        reader.error(node, f"'using: {using}' needs '{key}'")
        return None
    return reader.text(fields[key], f"'{key}'")


def _optional(reader: Reader, fields: dict[str, yaml.Node], key: str) -> str | None:
    return reader.text(fields[key], f"'{key}'") if key in fields else None


def _docker(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    image = _needed(reader, node, using, fields, "image")
    runs = DockerRuns(
        image=image or "",
        entrypoint=_words(reader, fields.get("entrypoint"), "'entrypoint'"),
        args=_words(reader, fields.get("args"), "'args'"),
        env=read_env(reader, fields.get("env")),
        pre_entrypoint=_optional(reader, fields, "pre-entrypoint"),
        post_entrypoint=_optional(reader, fields, "post-entrypoint"),
    )
    return runs if image else None


def _words(reader: Reader, node: yaml.Node | None, what: str) -> Value:
    """Text, or a list of texts as they were written."""
    if node is None:
        return None
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return [*reader.texts(node, what)]


def _composite(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    if "steps" not in fields:
        reader.error(node, "'using: composite' needs 'steps'")
        return None
    return CompositeRuns(steps=read_steps(reader, fields["steps"]))


def _python(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    main = _needed(reader, node, using, fields, "main")
    requirements = _optional(reader, fields, "requirements")
    for key, path in (("main", main), ("requirements", requirements)):
        if path is not None and not _stays_inside(path):
            reader.error(
                fields[key],
                f"'{key}' leaves the action's folder",
                "name a file of the folder, such as main.py",
            )
    image = _optional(reader, fields, "image")
    return None if main is None else PythonRuns(main=main, image=image, requirements=requirements)


def _other(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    main = None if using == "workflow" else _needed(reader, node, using, fields, "main")
    return OtherRuns(using=using, main=main)


def _stays_inside(path: str) -> bool:
    normal = posixpath.normpath(path)
    return (
        bool(path) and not normal.startswith(("/", "../")) and normal not in (".", "..") and "\\" not in path
    )


_READERS: Final = {"docker": _docker, "composite": _composite, "python": _python}

__all__ = ["RUNS_KEYS", "read_runs"]
