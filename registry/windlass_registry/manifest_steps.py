"""Reads the steps of a composite action. Called by `manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from windlass_registry.documents import Position, Scalar, Value, is_null, scalar, value_of
from windlass_registry.manifest_model import ActionStep
from windlass_registry.reader import Reader

STEP_KEYS: Final = (
    "id",
    "name",
    "if",
    "run",
    "shell",
    "image",
    "uses",
    "with",
    "env",
    "working-directory",
    "continue-on-error",
    "timeout-minutes",
)
_RUN_ONLY: Final = ("shell", "image", "working-directory")


def read_steps(reader: Reader, node: yaml.Node) -> tuple[ActionStep, ...]:
    """The steps under `runs.steps`; notes what is wrong with them on the reader."""
    steps = [_read_step(reader, item) for item in reader.items(node, "'steps'")]
    if not steps and isinstance(node, yaml.SequenceNode):
        reader.error(node, "a composite action needs at least one step")
    _check_ids(reader, steps)
    return tuple(steps)


def _read_step(reader: Reader, node: yaml.Node) -> ActionStep:
    fields = reader.fields(node, "a step", STEP_KEYS)
    if is_null(node):
        reader.error(node, "a step is empty", "write 'run' or 'uses'")
    else:
        _check_kind(reader, node, fields)
    texts = {
        key: reader.text(fields[key], f"'{key}'")
        for key in ("id", "name", "run", "shell", "image", "uses", "working-directory")
        if key in fields and not is_null(fields[key])
    }
    return ActionStep(
        id=texts.get("id"),
        name=texts.get("name"),
        condition=read_condition(reader, fields.get("if"), "'if'"),
        run=texts.get("run"),
        shell=texts.get("shell"),
        image=texts.get("image"),
        uses=texts.get("uses"),
        with_=_values(reader, fields.get("with")),
        env=read_env(reader, fields.get("env")),
        working_directory=texts.get("working-directory"),
        continue_on_error=_truth_or_expression(reader, fields.get("continue-on-error")),
        timeout_minutes=_minutes(reader, fields.get("timeout-minutes")),
        at=Position.of(node),
    )


def _check_kind(reader: Reader, node: yaml.Node, fields: Mapping[str, yaml.Node]) -> None:
    if "run" in fields and "uses" in fields:
        reader.error(fields["uses"], "a step has 'run' or 'uses', not both", "make two steps of it")
    elif isinstance(node, yaml.MappingNode) and not {"run", "uses"} & fields.keys():
        reader.error(node, "a step needs 'run' or 'uses'")
    elif "uses" in fields:
        for key in _RUN_ONLY:
            if key in fields:
                reader.warn(fields[key], f"'{key}' has no effect on a step with 'uses'", "leave it out")
    elif "with" in fields:
        reader.error(fields["with"], "'with' belongs to 'uses'", "give a script its values by 'env'")


def _check_ids(reader: Reader, steps: list[ActionStep]) -> None:
    seen: dict[str, Position] = {}
    for step in steps:
        if step.id is None:
            continue
        if step.id in seen:
            remedy = f"the first is on line {seen[step.id].line}"
            reader.error(step.at, f"two steps have the id '{step.id}'", remedy)
        seen.setdefault(step.id, step.at)


def read_condition(reader: Reader, node: yaml.Node | None, what: str) -> str | None:
    """A condition without the `${{ }}` that may stand around it."""
    text = None if node is None or is_null(node) else reader.text(node, what)
    if text is None:
        return None
    bare = text.strip()
    inner = bare[3:-2] if bare.startswith("${{") and bare.endswith("}}") else None
    return inner.strip() if inner is not None and "${{" not in inner and "}}" not in inner else bare


def _values(reader: Reader, node: yaml.Node | None) -> dict[str, Value]:
    if node is None:
        return {}
    return {name: value_of(value) for name, (_, value) in reader.entries(node, "'with'").items()}


def read_env(reader: Reader, node: yaml.Node | None) -> dict[str, Scalar]:
    """Environment variables: names to single values."""
    found: dict[str, Scalar] = {}
    for name, (_, value) in reader.entries(node, "'env'").items() if node is not None else ():
        if isinstance(value, yaml.ScalarNode):
            found[name] = scalar(value)
        else:
            reader.error(value, f"the variable '{name}' must be one value", "write lists as text")
    return found


def _is_expression(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and "${{" in node.value


def _truth_or_expression(reader: Reader, node: yaml.Node | None) -> bool | str:
    if node is None or is_null(node):
        return False
    if _is_expression(node):
        return str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.value in ("true", "false"):
        return bool(node.value == "true")
    return bool(reader.truth(node, "'continue-on-error'"))


def _minutes(reader: Reader, node: yaml.Node | None) -> float | str | None:
    if node is None or is_null(node):
        return None
    return str(node.value) if _is_expression(node) else reader.number(node, "'timeout-minutes'", above=0)
