"""Reads `runs` of a manifest: how the action does its work. Called by `manifest`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

import yaml

from windlass_registry.documents import Value, is_null, merged_items, value_of
from windlass_registry.manifest_model import (
    ApprovalRuns,
    CompositeRuns,
    DockerRuns,
    GraphRuns,
    NodeRuns,
    PythonRuns,
    Runs,
)
from windlass_registry.manifest_steps import read_condition, read_env, read_steps
from windlass_registry.near_words import did_you_mean
from windlass_registry.reader import Reader

NODES: Final = ("node12", "node16", "node20", "node24")
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
    "approval": ("message", "approvers", "approvals", "timeout-minutes"),
    "workflow": ("jobs", "env", "defaults"),
    **dict.fromkeys(NODES, ("main", "pre", "post", "pre-if", "post-if")),
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
    return _READERS[using](reader, node, using, fields)


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
    if image is not None and not _is_image(image):
        remedy = f"write docker://{image}, or the path of a file named Dockerfile"
        reader.error(fields["image"], f"'image' cannot be '{image}'", remedy)
    elif image is not None and is_dockerfile(image):
        _check_inside(reader, fields["image"], "image", image)
    runs = DockerRuns(
        image=image or "",
        entrypoint=_words(reader, fields.get("entrypoint"), "'entrypoint'"),
        args=_words(reader, fields.get("args"), "'args'"),
        env=read_env(reader, fields.get("env")),
        pre_entrypoint=_optional(reader, fields, "pre-entrypoint"),
        post_entrypoint=_optional(reader, fields, "post-entrypoint"),
        pre_if=read_condition(reader, fields.get("pre-if"), "'pre-if'"),
        post_if=read_condition(reader, fields.get("post-if"), "'post-if'"),
    )
    return runs if image else None


def is_dockerfile(image: str) -> bool:
    """Whether `image` of a docker action names a file to build from, as GitHub's runner tells it apart."""
    name = posixpath.basename(image).lower()
    return "://" not in image and (name.startswith("dockerfile") or name.endswith("dockerfile"))


def _is_image(image: str) -> bool:
    return "${{" in image or image.startswith("docker://") or is_dockerfile(image)


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
        _check_inside(reader, fields.get(key), key, path)
    image = _optional(reader, fields, "image")
    return None if main is None else PythonRuns(main=main, image=image, requirements=requirements)


def _node(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    main = _needed(reader, node, using, fields, "main")
    files = {"main": main, **{key: _optional(reader, fields, key) for key in ("pre", "post")}}
    for key, path in files.items():
        _check_inside(reader, fields.get(key), key, path)
    if main is None:
        return None
    return NodeRuns(
        using=using,
        main=main,
        pre=files["pre"],
        post=files["post"],
        pre_if=read_condition(reader, fields.get("pre-if"), "'pre-if'"),
        post_if=read_condition(reader, fields.get("post-if"), "'post-if'"),
    )


def _approval(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    values = {key: value_of(field) for key, field in fields.items() if key not in ("using", "message")}
    for key in ("approvals", "timeout-minutes"):
        value = values.get(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if key in values and not is_number and "${{" not in str(value):
            reader.error(fields[key], f"'{key}' is not a number above zero")
    return ApprovalRuns(
        message=_optional(reader, fields, "message") or "",
        approvers=values.get("approvers"),
        approvals=values.get("approvals", 1),
        timeout_minutes=values.get("timeout-minutes"),
    )


def _graph(reader: Reader, node: yaml.Node, using: str, fields: dict[str, yaml.Node]) -> Runs | None:
    """The jobs are left to the runner, whose language they are in; what they use is read."""
    if "jobs" not in fields:
        reader.error(node, "'using: workflow' needs 'jobs'", "write them as in a workflow")
        return None
    jobs = reader.entries(fields["jobs"], "'jobs'")
    if not jobs and isinstance(fields["jobs"], yaml.MappingNode):
        reader.error(fields["jobs"], "'jobs' is empty", "write one job or more under it")
    found = (text for _, job in jobs.values() for text in _used_by(job))
    return GraphRuns(uses={text: text for text in found if not is_own_folder(text)})


def _used_by(job: yaml.Node) -> Iterator[str]:
    """What a job and its steps use, as far as it is written as it should be: who reads the jobs says more."""
    steps = [node for key, node in _pairs(job) if key == "steps" and isinstance(node, yaml.SequenceNode)]
    for each in (job, *(item for node in steps for item in node.value)):
        for key, value in _pairs(each):
            if key == "uses" and isinstance(value, yaml.ScalarNode) and value.value.strip():
                yield value.value.strip()


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in merged_items(node))


def is_own_folder(uses: str) -> bool:
    """Whether a graph's job names an action in a folder of its own package."""
    return uses in (".", "$") or uses.startswith(("./", "$/"))


def _check_inside(reader: Reader, node: yaml.Node | None, key: str, path: str | None) -> None:
    if node is not None and path is not None and not _stays_inside(path):
        remedy = "name a file of the folder, such as main.py"
        reader.error(node, f"'{key}' leaves the action's folder", remedy)


def _stays_inside(path: str) -> bool:
    normal = posixpath.normpath(path)
    return (
        bool(path) and not normal.startswith(("/", "../")) and normal not in (".", "..") and "\\" not in path
    )


_READERS: Final = {
    "docker": _docker,
    "composite": _composite,
    "python": _python,
    "approval": _approval,
    "workflow": _graph,
    **dict.fromkeys(NODES, _node),
}

__all__ = ["NODES", "RUNS_KEYS", "is_dockerfile", "is_own_folder", "read_runs"]
