"""The workflow's typed inputs, from what a trigger, the command line or a form gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_registry.documents import Value
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.near_words import did_you_mean
from windlass_runner.workflow.model import InputSpec, Workflow


def resolve_inputs(workflow: Workflow, given: Mapping[str, Any]) -> dict[str, Value]:
    """Every declared input's value, as its type; defaults fill what was not given.

    Raises:
        AuthorError: an input nobody declared, a required one left out, a value of another type.
    """
    problems: list[Problem] = []
    for name in given:
        if name not in workflow.inputs:
            problems.append(
                Problem(
                    path=workflow.path,
                    line=0,
                    column=0,
                    message=f"the workflow has no input '{name}'",
                    remedy=did_you_mean(name, workflow.inputs)
                    or f"declare it under 'inputs:' in {workflow.path}",
                )
            )
    values: dict[str, Value] = {}
    for spec in workflow.inputs.values():
        try:
            values[spec.name] = _one(spec, given)
        except ValueError as error:
            problems.append(
                Problem(
                    path=workflow.path,
                    line=spec.at.line,
                    column=spec.at.column,
                    message=f"input '{spec.name}' {error}",
                    remedy=f"give it with --input {spec.name}=VALUE",
                )
            )
    if problems:
        raise AuthorError(*problems)
    return values


def _one(spec: InputSpec, given: Mapping[str, Any]) -> Value:
    if spec.name in given and given[spec.name] is not None:
        return _typed(spec, given[spec.name])
    if spec.default is not None:
        return spec.default
    if spec.ref is not None:
        return spec.ref
    if spec.required:
        raise ValueError("is required and was not given")
    return {"boolean": False, "number": None}.get(spec.type, "")


def _typed(spec: InputSpec, value: Any) -> Value:
    match spec.type:
        case "boolean":
            return _boolean(value)
        case "number":
            return _number(value)
        case "choice":
            return _choice(spec, value)
        case _:
            return value if isinstance(value, str) else _text(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(f"must be true or false, not '{value}'")


def _number(value: Any) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"must be a number, not '{value}'") from None
    return int(number) if number.is_integer() and "." not in str(value) else number


def _choice(spec: InputSpec, value: Any) -> Value:
    for option in spec.options:
        if value == option or _text(value) == _text(option):
            return option
    known = ", ".join(_text(option) for option in spec.options)
    raise ValueError(f"cannot be '{value}'; it is one of {known}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
