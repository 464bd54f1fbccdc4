"""The shape of a workflow, for a picture of it: its jobs, and which of them wait for which. Pure.

Reads only what a picture shows, and forgives the rest: whether a workflow is right, the runner says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from windlass_registry.documents import compose
from windlass_registry.errors import AuthorError

_REFERENCE = re.compile(r"\b(?:needs\.)?([A-Za-z_][A-Za-z0-9_-]*)\.outputs\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedJob:
    """One job of the picture."""

    name: str
    needs: tuple[str, ...] = ()
    what: str = ""
    """The action that it uses, or how many steps it has."""
    is_matrix: bool = False


def outline(text: str, *, path: str = "") -> tuple[OutlinedJob, ...]:
    """The jobs of a workflow, or of an action that is a graph of them (`runs.jobs`), in the order of its
    text; none where it cannot be read."""
    try:
        root = compose(text, path=path)
    except AuthorError:
        return ()
    top = _mapping(root)
    jobs = _mapping(top.get("jobs", _mapping(top.get("runs")).get("jobs")))
    return tuple(_job(name, _mapping(node), jobs) for name, node in jobs.items())


def layers(jobs: tuple[OutlinedJob, ...]) -> tuple[tuple[OutlinedJob, ...], ...]:
    """The jobs by when they can begin: each behind all that it waits for. Circles end in the last layer."""
    depth: dict[str, int] = {}
    known = {job.name: job for job in jobs}

    def measure(name: str, above: frozenset[str]) -> int:
        if name not in depth and name not in above:
            needs = [need for need in known[name].needs if need in known]
            depth[name] = 1 + max((measure(need, above | {name}) for need in needs), default=-1)
        return depth.get(name, 0)

    for job in jobs:
        measure(job.name, frozenset())
    most = max(depth.values(), default=-1)
    return tuple(tuple(job for job in jobs if depth[job.name] == level) for level in range(most + 1))


def _job(name: str, fields: Mapping[str, yaml.Node], jobs: Mapping[str, yaml.Node]) -> OutlinedJob:
    needs = [*_texts(fields.get("needs"))]
    for node in fields.values():
        needs += [found for text in _texts(node) for found in _REFERENCE.findall(text)]
    steps = fields.get("steps")
    count = len(steps.value) if isinstance(steps, yaml.SequenceNode) else 0
    uses = next(iter(_texts(fields.get("uses"))), "")
    return OutlinedJob(
        name=name,
        needs=tuple(need for need in dict.fromkeys(needs) if need in jobs and need != name),
        what=uses or (f"{count} {'step' if count == 1 else 'steps'}" if count else ""),
        is_matrix="matrix" in _mapping(fields.get("strategy")),
    )


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _texts(node: yaml.Node | None) -> list[str]:
    """Every scalar below a node."""
    match node:
        case yaml.ScalarNode():
            return [node.value]
        case yaml.SequenceNode():
            return [text for item in node.value for text in _texts(item)]
        case yaml.MappingNode():
            return [text for _, value in node.value for text in _texts(value)]
    return []
