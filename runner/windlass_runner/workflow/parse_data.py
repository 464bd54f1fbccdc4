"""What goes into a job and comes out of it: `inputs` and `outputs`."""

from __future__ import annotations

import re
from typing import Final, get_args

import yaml

from windlass_registry.documents import Position, Value, is_null, kind_of
from windlass_registry.near_words import nearest
from windlass_runner.workflow import references
from windlass_runner.workflow.model import JobInput, OutputSpec, OutputType
from windlass_runner.workflow.parse_inputs import read_with
from windlass_runner.workflow.reading import FILE_NAME, Place, WorkflowReader

OUTPUT_TYPES: Final[tuple[OutputType, ...]] = get_args(OutputType)
OUTPUT_KEYS: Final = frozenset({"type", "with", "retention-days", "value", "description"})
JOB_INPUT_KEYS: Final = frozenset({"type", "with"})
_STORED: Final = frozenset({"dataset", "model"})
_REF_KEYS: Final = ("ref", "id", "name")
_WITH_REF: Final = dict.fromkeys(_REF_KEYS, "write with: {ref: …}")
_JOB_DATA = re.compile(r"[A-Za-z0-9_-]+\.(?:inputs|outputs)\.[A-Za-z0-9_.-]+\Z")
_DOTTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\Z")


def read_job_inputs(reader: WorkflowReader, node: yaml.Node) -> tuple[JobInput, ...]:
    """A job's `inputs`: each becomes `/inputs/<name>`."""
    found: list[JobInput] = []
    for name, (key, value) in reader.entries(node, "'inputs'").items():
        _check_name(reader, key, name, "an input")
        found.append(_read_job_input(reader, name, value))
    return tuple(found)


def _check_name(reader: WorkflowReader, key: yaml.Node, name: str, what: str) -> None:
    if not FILE_NAME.match(name):
        reader.error(key, f"'{name}' cannot be the name of {what}", "use letters, digits, '_', '-' and '.'")


def _read_job_input(reader: WorkflowReader, name: str, node: yaml.Node) -> JobInput:
    at = Position.of(node)
    if isinstance(node, yaml.MappingNode):
        return _read_inline(reader, name, node)
    if not isinstance(node, yaml.ScalarNode) or is_null(node):
        reader.error(
            node,
            f"the input '{name}' must name where it comes from, not {kind_of(node)}",
            "write JOB.outputs.NAME, workflow.inputs.NAME, or {type: dataset, with: {ref: …}}",
        )
        return JobInput(name=name, at=at)
    text = str(node.value).strip()
    match references.read_reference(text) or references.read_expression_reference(text):
        case references.OutputReference(job=job, output=output):
            return JobInput(name=name, job=job, output=output, at=at)
        case references.InputReference(name=workflow_input):
            reader.note(node, references.InputReference(name=workflow_input).expression, Place.JOB_INPUT)
            return JobInput(name=name, workflow_input=workflow_input, at=at)
        case None:
            pass
    return JobInput(name=name, value=_value(reader, name, node), at=at)


def _value(reader: WorkflowReader, name: str, node: yaml.ScalarNode) -> Value:
    """An expression or a bare reference; plain text is an error, as there is nothing that it names."""
    known = len(reader.problems)
    value = reader.referring(node, Place.JOB_INPUT)
    is_expression = isinstance(value, str) and "${{" in value
    if not is_expression and len(reader.problems) == known and not _is_near_reference(reader, node):
        reader.error(
            node,
            f"the input '{name}' must name where it comes from, not '{_short(node)}'",
            "write JOB.outputs.NAME, workflow.inputs.NAME, or {type: string, with: {value: …}} for a text",
        )
    return value


def _short(node: yaml.ScalarNode) -> str:
    line = str(node.value).strip().split("\n", 1)[0]
    return line if len(line) <= 60 else line[:57] + "…"


def _is_near_reference(reader: WorkflowReader, node: yaml.ScalarNode) -> bool:
    """Note what is nearly a reference, with what it should be."""
    text = str(node.value).strip()
    if text in reader.jobs:
        reader.error(node, f"'{text}' is a job", f"write {text}.outputs.NAME for one of its outputs")
        return True
    if not _DOTTED.match(text):
        return False
    parts = text.split(".")
    if parts[0] == "workflow":
        reader.error(node, f"unknown reference '{text}'", f"write workflow.inputs.{parts[-1]}")
    elif parts[0] == "needs" and len(parts) == 4:
        reader.error(node, f"'{text}' is taken as text", f"write {'.'.join(parts[1:])} or ${{{{ {text} }}}}")
    elif parts[0] == "inputs":
        reader.error(node, f"'{text}' is taken as text", f"write workflow.{text} or ${{{{ {text} }}}}")
    elif parts[0] in reader.jobs or (len(parts) > 2 and nearest(parts[0], reader.jobs)):
        job = parts[0] if parts[0] in reader.jobs else nearest(parts[0], reader.jobs)
        reader.error(node, f"unknown reference '{text}'", f"did you mean '{job}.outputs.{parts[-1]}'?")
    else:
        return False
    return True


def _read_inline(reader: WorkflowReader, name: str, node: yaml.MappingNode) -> JobInput:
    """`{type: dataset, with: {ref: …}}`: what exists already."""
    what = f"the input '{name}'"
    fields = reader.fields(node, what, JOB_INPUT_KEYS, elsewhere=_WITH_REF)
    kind = reader.choice(fields["type"], f"the type of {what}", OUTPUT_TYPES) if "type" in fields else None
    if "type" not in fields:
        reader.error(node, f"{what} has no 'type'", "write one of " + ", ".join(OUTPUT_TYPES))
    ref, value = read_with(reader, fields.get("with"), what)
    if kind in _STORED and ref is None and not _has_misplaced_ref(node):
        reader.error(node, f"{what} names no {kind}", f"write {{type: {kind}, with: {{ref: NAME}}}}")
    if ref is not None:
        _note_ref(reader, fields["with"], ref)
    return JobInput(name=name, type=kind, ref=ref, value=value, at=Position.of(node))


def _has_misplaced_ref(node: yaml.MappingNode) -> bool:
    """Whether the name stands beside `type` and not under `with`, which `fields` has said already."""
    return any(key.value in _REF_KEYS for key, _ in node.value)


def _note_ref(reader: WorkflowReader, node: yaml.Node, ref: str) -> None:
    if "${{" not in ref or not isinstance(node, yaml.MappingNode):
        return
    for _, value in node.value:
        if isinstance(value, yaml.ScalarNode) and value.value == ref:
            reader.note(value, ref, Place.JOB)
            return


def read_outputs(reader: WorkflowReader, node: yaml.Node) -> tuple[OutputSpec, ...]:
    """A job's `outputs`, typed (`{type: dataset, …}`) or GitHub's (`NAME: ${{ … }}`)."""
    found: list[OutputSpec] = []
    for name, (key, value) in reader.entries(node, "'outputs'").items():
        _check_name(reader, key, name, "an output")
        found.append(_read_output(reader, name, value))
    return tuple(found)


def _read_output(reader: WorkflowReader, name: str, node: yaml.Node) -> OutputSpec:
    at = Position.of(node)
    what = f"the output '{name}'"
    if isinstance(node, yaml.ScalarNode) and not is_null(node):
        return _read_expression_output(reader, name, node)
    if not isinstance(node, yaml.MappingNode):
        reader.error(
            node, f"{what} must be a mapping or an expression, not {kind_of(node)}", "write {type: volume}"
        )
        return OutputSpec(name=name, type="string", at=at)
    fields = reader.fields(node, what, OUTPUT_KEYS, elsewhere=_WITH_REF)
    kind = _read_type(reader, fields.get("type"), node, what, has_value="value" in fields)
    ref, _ = read_with(reader, fields.get("with"), what)
    if ref is not None:
        _note_ref(reader, fields["with"], ref)
    if kind in _STORED and ref is None and not _has_misplaced_ref(node):
        reader.error(node, f"{what} names no {kind} to commit to", "write with: {ref: NAME}")
    return OutputSpec(
        name=name,
        type=kind or "string",
        ref=ref,
        retention_days=reader.number(fields["retention-days"], f"'retention-days' of {what}", above=0)
        if "retention-days" in fields
        else None,
        value=reader.template(fields["value"], f"the value of {what}", Place.JOB_OUTPUT)
        if "value" in fields
        else None,
        at=at,
    )


def _read_type(
    reader: WorkflowReader, node: yaml.Node | None, around: yaml.Node, what: str, *, has_value: bool
) -> OutputType | None:
    if node is None:
        if not has_value:
            reader.error(around, f"{what} has no 'type'", "write one of " + ", ".join(OUTPUT_TYPES))
        return "string" if has_value else None
    word = reader.choice(node, f"the type of {what}", OUTPUT_TYPES)
    kind = next((known for known in OUTPUT_TYPES if known == word), None)
    if has_value and kind not in (None, "string"):
        reader.error(node, f"{what} has a 'value', so it is a string, not a {kind}")
    return kind


def _read_expression_output(reader: WorkflowReader, name: str, node: yaml.ScalarNode) -> OutputSpec:
    text = str(node.value)
    if text.strip() in OUTPUT_TYPES:
        reader.error(node, f"the output '{name}' must be a mapping", f"write {{type: {text.strip()}}}")
    elif text.strip() in reader.jobs or _JOB_DATA.match(text.strip()):
        reader.error(
            node,
            f"the output '{name}' cannot be '{text.strip()}': a job writes its outputs itself",
            "say what it writes, such as {type: volume}; what comes from other jobs stands under 'inputs'",
        )
    elif re.fullmatch(r"steps\.[\w.-]+", text.strip()):
        reader.error(node, f"'{text}' is taken as text", f"write ${{{{ {text.strip()} }}}}")
    value = reader.template(node, f"the output '{name}'", Place.JOB_OUTPUT)
    return OutputSpec(name=name, type="string", value=value, at=Position.of(node))
