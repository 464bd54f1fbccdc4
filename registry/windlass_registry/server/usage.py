"""How an action is used, as it would stand in a workflow. Pure."""

from __future__ import annotations

import re
from typing import Final

from windlass_registry.documents import Value
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_registry.yaml_text import one_line

_FILE_TYPES: Final = frozenset({"dataset", "model", "volume", "artifact"})
_YOURS: Final = "…"
"""Stands in an example for what only its reader knows."""


def usage(uses: str, action: ActionManifest) -> str:
    """The package's own example as it would stand in a workflow; without one the inputs that are required."""
    first = next(iter(action.examples), None)
    wanted = (
        first.with_
        if first is not None
        else {one.name: _YOURS for one in action.inputs.values() if one.required}
    )
    files = _files_handed(action)
    lines = ["jobs:", "  work:", f"    uses: {uses}"]
    if files:
        lines += ["    inputs:", *(f"      {name}: JOB.outputs.NAME" for name in files)]
    if texts := {name: value for name, value in wanted.items() if name not in files}:
        lines.append("    with:")
        for name, value in texts.items():
            lines += _input_lines(name, value)
    return "\n".join(lines)


def _files_handed(action: ActionManifest) -> list[str]:
    """The inputs that a graph of jobs needs and that are files: no `with` can hand them on."""
    if not isinstance(action.runs, GraphRuns):
        return []
    return [one.name for one in action.inputs.values() if one.required and one.type in _FILE_TYPES]


def _input_lines(name: str, value: Value) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return [f"      {name}: |", *(f"        {line}" for line in value.rstrip().split("\n"))]
    is_plain = isinstance(value, str) and (value == _YOURS or re.fullmatch(r"[A-Za-z][A-Za-z ./_-]*", value))
    return [f"      {name}: {value if is_plain else one_line(value)}"]
