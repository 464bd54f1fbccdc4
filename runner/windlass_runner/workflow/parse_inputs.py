"""Typed inputs of a workflow: `inputs`, and those of `workflow_dispatch`."""

from __future__ import annotations

from typing import Final, get_args

import yaml

from windlass_registry.documents import Position, Scalar, Value, is_null, kind_of
from windlass_runner.workflow.model import InputSpec, InputType
from windlass_runner.workflow.reading import FILE_NAME, WorkflowReader, written

INPUT_TYPES: Final[tuple[InputType, ...]] = get_args(InputType)
INPUT_KEYS: Final = frozenset({"type", "default", "required", "description", "options", "with"})
WITH_KEYS: Final = frozenset({"ref", "id", "value"})
DATA_TYPES: Final = frozenset({"dataset", "model", "volume", "artifact"})


def read_inputs(reader: WorkflowReader, node: yaml.Node, what: str) -> dict[str, InputSpec]:
    """All inputs of one `inputs` mapping."""
    found: dict[str, InputSpec] = {}
    for name, (key, value) in reader.entries(node, what).items():
        if not FILE_NAME.match(name):
            reader.error(key, f"'{name}' cannot be the name of an input", "use letters, digits, '_' and '-'")
        found[name] = _read_input(reader, name, key, value)
    return found


def _read_input(reader: WorkflowReader, name: str, key: yaml.Node, node: yaml.Node) -> InputSpec:
    at = Position.of(key)
    if isinstance(node, yaml.ScalarNode) and not is_null(node):
        remedy = f"write {{default: {node.value}}}" if len(node.value) < 40 else "write it under 'default'"
        reader.error(node, f"the input '{name}' must be a mapping, not {kind_of(node)}", remedy)
        return InputSpec(name=name, at=at)
    fields = reader.fields(node, f"the input '{name}'", INPUT_KEYS, elsewhere=_ELSEWHERE)
    kind: InputType = "string"
    if "type" in fields:
        word = reader.choice(fields["type"], f"the type of '{name}'", INPUT_TYPES)
        kind = next((known for known in INPUT_TYPES if known == word), "string")
    options = _read_options(reader, name, fields, kind, node)
    ref, value = read_with(reader, fields.get("with"), f"the input '{name}'")
    default = _read_default(reader, name, fields.get("default"), kind, options)
    if "default" not in fields:
        default = value
    spec = InputSpec(
        name=name,
        type=kind,
        default=default,
        required=bool("required" in fields and reader.truth(fields["required"], f"'required' of '{name}'")),
        description=(
            reader.text(fields["description"], f"the description of '{name}'") or ""
            if "description" in fields and not is_null(fields["description"])
            else ""
        ),
        options=options,
        ref=ref,
        at=at,
    )
    if ref is not None and kind not in DATA_TYPES:
        reader.error(
            fields["with"],
            f"the input '{name}' is a {kind}, which has no 'ref'",
            "give it type: dataset or type: model, or a 'default'",
        )
    return spec


_ELSEWHERE: Final = {
    "value": "write 'default' for a value",
    "enum": "write type: choice and 'options'",
    "ref": "write with: {ref: …}",
    "id": "write with: {ref: …}",
    "deprecationMessage": "write it in the 'description'",
}


def read_with(reader: WorkflowReader, node: yaml.Node | None, what: str) -> tuple[str | None, Scalar]:
    """Gradient's `with: {ref: …}` (also `id`), or `with: {value: …}`: the name, and the value."""
    if node is None:
        return None, None
    fields = reader.fields(node, f"'with' of {what}", WITH_KEYS)
    if "ref" in fields and "id" in fields:
        reader.error(fields["id"], f"'with' of {what} has both 'ref' and 'id'", "keep 'ref'")
    named = fields.get("ref", fields.get("id"))
    ref = reader.text(named, f"'ref' of {what}") if named is not None else None
    value = fields.get("value")
    if value is not None and not isinstance(value, yaml.ScalarNode):
        reader.error(value, f"'value' of {what} must be text, not {kind_of(value)}")
        return ref, None
    return ref, None if value is None else written(value)


def _read_options(
    reader: WorkflowReader, name: str, fields: dict[str, yaml.Node], kind: InputType, node: yaml.Node
) -> tuple[Scalar, ...]:
    if "options" not in fields:
        if kind == "choice":
            reader.error(
                fields["type"], f"the input '{name}' is a choice of nothing", "list them under 'options'"
            )
        return ()
    if kind != "choice":
        reader.error(fields["options"], f"'options' of '{name}' go with type: choice, not {kind}")
    items = reader.items(fields["options"], f"'options' of '{name}'")
    if not items:
        reader.error(fields["options"], f"'options' of '{name}' lists nothing to choose from")
    found: list[Scalar] = []
    for item in items:
        if isinstance(item, yaml.ScalarNode):
            found.append(written(item))
        else:
            reader.error(item, f"an option of '{name}' must be text, not {kind_of(item)}")
    return tuple(found)


def _read_default(
    reader: WorkflowReader,
    name: str,
    node: yaml.Node | None,
    kind: InputType,
    options: tuple[Scalar, ...],
) -> Value:
    if node is None or is_null(node):
        return None
    what = f"the default of '{name}'"
    match kind:
        case "boolean":
            return reader.truth(node, what)
        case "number":
            return reader.number(node, what)
        case "choice":
            word = reader.text(node, what)
            known = {str(option): option for option in options}
            if word is not None and known and word not in known:
                reader.choice(node, what, known)
            return known.get(word or "")
        case _:
            text = reader.text(node, what)
            if text is not None and "${{" in text:
                reader.error(node, f"{what} cannot hold an expression", "put the expression where it is used")
            return text
