"""A sample's parameters: a flat JSON Schema object, as a form, and the values that a subscriber gives.

Source of the rules: JSON Schema 2020-12. Each property is one value (text, a number, a switch, a choice) or
a list of such: what a form can ask for and a line of YAML can hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from windlass_registry.documents import Value, compose, scalar, value_of
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.near_words import did_you_mean
from windlass_registry.reader import Reader

_TYPES: Final = ("string", "integer", "number", "boolean", "array")
_EXAMPLES: Final[Mapping[str, Value]] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One question of the form. `choices` is empty where any value of the type will do."""

    name: str
    title: str
    description: str
    type: str
    default: Value
    is_required: bool
    choices: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The schema of a sample's parameters, and its properties in the order they were written."""

    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(self.schema.get("properties", {}))

    def form(self) -> tuple[Parameter, ...]:
        """What to ask, in order."""
        required = self.schema.get("required", ())
        return tuple(
            _question(name, each, is_required=name in required)
            for name, each in self.schema.get("properties", {}).items()
        )

    def defaults(self) -> dict[str, Value]:
        """The values of those that have one."""
        properties = self.schema.get("properties", {})
        return {name: each["default"] for name, each in properties.items() if "default" in each}

    def examples(self) -> dict[str, Value]:
        """A value for each: the default where there is one, else any of its type."""
        return {
            one.name: one.default
            if one.default is not None
            else (one.choices[0] if one.choices else _EXAMPLES[one.type])
            for one in self.form()
        }

    def complete(self, given: Mapping[str, Value], *, path: str) -> dict[str, Value]:
        """All values: those given, and the defaults of the others. `path` is where problems are reported.

        Raises:
            AuthorError: names that are no parameters, parameters left out, values that the schema forbids.
        """
        problems = [
            _problem(path, f"the sample has no parameter '{name}'", did_you_mean(name, self.names))
            for name in given
            if name not in self.names
        ]
        values = {**self.defaults(), **given}
        missing = [one.name for one in self.form() if one.is_required and one.name not in values]
        problems += [
            _problem(path, f"parameter '{name}' has no value", f"give --param {name}=…") for name in missing
        ]
        if not problems:
            problems = self._violations(values, path=path)
        if problems:
            raise AuthorError(*problems)
        unset = {one.name: None for one in self.form() if one.name not in values}
        return {name: {**unset, **values}[name] for name in self.names}

    def read(self, name: str, text: str) -> Value:
        """The value that a text of the command line means: text stays text where text is wanted."""
        wanted = self.schema.get("properties", {}).get(name, {}).get("type", "string")
        if wanted == "string":
            return text
        if wanted == "array":
            return [part.strip() for part in text.split(",")] if not text.startswith("[") else _json(text)
        node = compose(text, path="--param")
        return scalar(node) if isinstance(node, yaml.ScalarNode) else text

    def wrong(self, name: str, value: Value) -> str | None:
        """Why the schema forbids that value of one parameter; None where it allows it."""
        from jsonschema import Draft202012Validator

        errors = Draft202012Validator(self.schema["properties"][name]).iter_errors(value)
        return next((str(error.message) for error in errors), None)

    def _violations(self, values: Mapping[str, Value], *, path: str) -> list[Problem]:
        from jsonschema import Draft202012Validator  # 200 ms: only those who subscribe wait for it

        errors = sorted(Draft202012Validator(dict(self.schema)).iter_errors(dict(values)), key=str)
        return [
            _problem(path, f"parameter '{_name_of(error)}': {error.message}", _hint(error))
            for error in errors
        ]


def read_parameters(reader: Reader, node: yaml.Node) -> Parameters:
    """`parameters` of a manifest: the schema, checked to be one that a form can show."""
    found = value_of(node)
    if not isinstance(found, dict):
        reader.error(node, "'parameters' must be a mapping: a JSON Schema with 'properties'")
        return Parameters()
    entries = {name: value for name, (_, value) in reader.entries(node, "'parameters'").items()}
    if "properties" not in entries:
        reader.error(node, "'parameters' is a JSON Schema: it needs 'properties'")
        return Parameters()
    good: dict[str, Any] = {}
    for name, (key, value) in reader.entries(entries["properties"], "'properties'").items():
        message = _wrong_property(name, value_of(value))
        if message is not None:
            reader.error(key, f"parameter '{name}' {message}")
        else:
            good[name] = value_of(value)
    schema = {**found, "type": "object", "properties": good, "additionalProperties": False}
    message = _wrong_schema(schema)
    if message is not None:
        reader.error(node, message)
    return Parameters(schema=schema)


def _wrong_property(name: str, schema: Value) -> str | None:
    if not isinstance(schema, dict):
        return "must be a mapping, such as {type: integer, default: 3}"
    if "enum" not in schema and schema.get("type") not in _TYPES:
        return "needs a 'type': one of " + ", ".join(_TYPES)
    if not name.replace("_", "").replace("-", "").isalnum() or name[:1].isdigit():
        return "has a name that no expression can say; write letters, digits and '_'"
    return None


def _wrong_schema(schema: Mapping[str, Any]) -> str | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"'parameters' is no JSON Schema: {error.message}"
    validator = Draft202012Validator(schema)
    for name, each in schema["properties"].items():
        if "default" not in each:
            continue
        for violation in validator.evolve(schema=each).iter_errors(each["default"]):
            return f"the default of parameter '{name}': {violation.message}"
    unknown = [name for name in schema.get("required", ()) if name not in schema["properties"]]
    return f"'required' names '{unknown[0]}', which is no parameter" if unknown else None


def _question(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Parameter:
    choices = tuple(schema.get("enum", ()))
    return Parameter(
        name=name,
        title=str(schema.get("title") or name),
        description=str(schema.get("description", "")),
        type=str(schema.get("type") or "string"),
        default=schema.get("default"),
        is_required=is_required,
        choices=choices,
    )


def _json(text: str) -> Value:
    try:
        value: Value = json.loads(text)
    except ValueError:
        return text
    return value


def _name_of(error: Any) -> str:
    return str(error.absolute_path[0]) if error.absolute_path else "?"


def _hint(error: Any) -> str | None:
    allowed = error.schema.get("enum") if isinstance(error.schema, dict) else None
    return f"one of {', '.join(map(str, allowed))}" if allowed else None


def _problem(path: str, message: str, remedy: str | None) -> Problem:
    return Problem(path=path, line=0, column=0, message=message, remedy=remedy)
