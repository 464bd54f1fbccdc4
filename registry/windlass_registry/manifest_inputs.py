"""Reads `inputs` and `outputs` of a manifest, and checks examples against them. Called by `manifest`."""

from __future__ import annotations

from typing import Final, cast, get_args

import yaml

from windlass_registry.documents import Scalar, Value, is_null, scalar, value_of
from windlass_registry.manifest_model import ActionInput, ActionOutput, Code, InputType
from windlass_registry.near_words import did_you_mean
from windlass_registry.reader import Reader

INPUT_KEYS: Final = (
    "description",
    "required",
    "default",
    "type",
    "options",
    "code",
    "aliases",
    "deprecationMessage",
)
OUTPUT_KEYS: Final = ("description", "value", "type")
INPUT_TYPES: Final[tuple[InputType, ...]] = get_args(InputType)
OUTPUT_TYPES: Final = ("string", "number", "boolean", "dataset", "model", "volume", "artifact")
CODES: Final[tuple[Code, ...]] = get_args(Code)


def read_inputs(reader: Reader, node: yaml.Node | None, *, is_strict: bool) -> dict[str, ActionInput]:
    """The inputs by name, in the order written."""
    found: dict[str, ActionInput] = {}
    taken: dict[str, str] = {}
    for name, (key, value) in reader.entries(node, "'inputs'").items() if node is not None else ():
        found[name] = _InputReader(reader, name, value, is_strict=is_strict).read()
        for spelling in (name, *found[name].aliases):
            other = taken.setdefault(spelling.lower(), name)
            if other != name and is_strict:
                reader.error(key, f"the inputs '{other}' and '{name}' share the spelling '{spelling}'")
    return found


class _InputReader:
    """One entry of `inputs`."""

    def __init__(self, reader: Reader, name: str, node: yaml.Node, *, is_strict: bool) -> None:
        self.reader = reader
        self.name = name
        self.is_strict = is_strict
        self.what = f"the input '{name}'"
        self.fields = known_fields(reader, node, self.what, INPUT_KEYS, is_strict=is_strict)

    def read(self) -> ActionInput:
        """The input, checked."""
        kind = self._type()
        options = self._options(kind)
        default = self._default(kind, options)
        return ActionInput(
            name=self.name,
            description=self._text("description") or "",
            required=self._required(),
            default=default,
            type=kind,
            options=options,
            code=self._code(),
            aliases=self._aliases(),
            deprecated=self._text("deprecationMessage"),
        )

    def _text(self, key: str) -> str | None:
        node = self.fields.get(key)
        return None if node is None else self.reader.text(node, f"'{key}' of {self.what}")

    def _required(self) -> bool:
        node = self.fields.get("required")
        if node is None:
            return False
        if isinstance(node, yaml.ScalarNode) and node.value.lower() in ("true", "false"):
            return bool(node.value.lower() == "true")
        say = self.reader.error if self.is_strict else self.reader.warn
        say(node, f"'required' of {self.what} must be true or false")
        return False

    def _type(self) -> InputType | None:
        node = self.fields.get("type")
        written = None if node is None else self._text("type")
        if node is None or written is None:
            return None
        if written not in INPUT_TYPES:
            say = self.reader.error if self.is_strict else self.reader.warn
            say(node, f"the type of {self.what} cannot be '{written}'", did_you_mean(written, INPUT_TYPES))
            return None
        return written

    def _options(self, kind: InputType | None) -> tuple[Scalar, ...]:
        node = self.fields.get("options")
        if node is None:
            if kind == "choice" and self.is_strict:
                self.reader.error(self.fields["type"], f"{self.what} is a choice without 'options'")
            return ()
        items = self.reader.items(node, f"'options' of {self.what}")
        if kind != "choice" and self.is_strict:
            self.reader.error(node, f"'options' of {self.what} needs 'type: choice'")
        return tuple(scalar(item) for item in items if isinstance(item, yaml.ScalarNode))

    def _default(self, kind: InputType | None, options: tuple[Scalar, ...]) -> Value:
        node = self.fields.get("default")
        if node is None:
            return None
        value = value_of(node)
        problem = misfit(value, kind, options)
        if problem is not None:
            say = self.reader.error if self.is_strict else self.reader.warn
            say(node, f"the default of {self.what} {problem}")
        return value

    def _code(self) -> Code | None:
        node = self.fields.get("code")
        found = None if node is None else self.reader.choice(node, f"'code' of {self.what}", CODES)
        return cast("Code | None", found)

    def _aliases(self) -> tuple[str, ...]:
        node = self.fields.get("aliases")
        return () if node is None else tuple(self.reader.texts(node, f"'aliases' of {self.what}"))


def known_fields(
    reader: Reader, node: yaml.Node, what: str, known: tuple[str, ...], *, is_strict: bool
) -> dict[str, yaml.Node]:
    """The entries that say something; unknown keys are errors in a manifest of Windlass's own."""
    say = reader.error if is_strict else reader.warn
    found: dict[str, yaml.Node] = {}
    if isinstance(node, yaml.ScalarNode) and not is_null(node) and not is_strict:
        reader.warn(node, f"{what} must be a mapping, not text")
        return found
    for name, (key, value) in reader.entries(node, what).items():
        if name not in known:
            say(key, f"unknown key '{name}' in {what}", did_you_mean(name, known))
        elif not is_null(value):
            found[name] = value
    return found


def misfit(value: Value, kind: InputType | None, options: tuple[Scalar, ...]) -> str | None:
    """Why a value cannot be that of an input of this type; None where it can.

    Text that reads as the type is taken (`'3'` for a number), and so is an expression.
    """
    if value is None or (isinstance(value, str) and "${{" in value):
        return None
    match kind:
        case "number":
            return None if _is_number(value) else f"must be a number, not {_shown(value)}"
        case "boolean":
            is_truth = isinstance(value, bool) or value in ("true", "false")
            return None if is_truth else f"must be true or false, not {_shown(value)}"
        case "choice":
            spelt = [_spelling(option) for option in options]
            if not options or (not isinstance(value, list | dict) and _spelling(value) in spelt):
                return None
            return f"must be one of {', '.join(spelt)}, not {_shown(value)}"
        case "list":
            return None if isinstance(value, list) else f"must be a list, not {_shown(value)}"
        case "string":
            return f"must be text, not {_shown(value)}" if isinstance(value, list | dict) else None
        case _:
            return None


def _is_number(value: Value) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        float(value)
    except (ValueError, OverflowError):
        return False
    return True


def _spelling(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Value) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return f"'{_spelling(value)}'"


def read_outputs(
    reader: Reader, node: yaml.Node | None, *, takes_values: bool, is_strict: bool
) -> dict[str, ActionOutput]:
    """The outputs by name, in the order written."""
    found: dict[str, ActionOutput] = {}
    for name, (_, value) in reader.entries(node, "'outputs'").items() if node is not None else ():
        what = f"the output '{name}'"
        fields = known_fields(reader, value, what, OUTPUT_KEYS, is_strict=is_strict)
        texts = {key: reader.text(item, f"'{key}' of {what}") for key, item in fields.items()}
        kind = texts.get("type")
        if kind is not None and kind not in OUTPUT_TYPES:
            say = reader.error if is_strict else reader.warn
            say(fields["type"], f"the type of {what} cannot be '{kind}'", did_you_mean(kind, OUTPUT_TYPES))
            kind = None
        if "value" in fields and not takes_values and is_strict:
            message = f"'value' of {what} belongs to actions that are made of others (composite, workflow)"
            reader.error(fields["value"], message)
        found[name] = ActionOutput(
            name=name, description=texts.get("description") or "", value=texts.get("value"), type=kind
        )
    return found


def check_example(
    reader: Reader,
    node: yaml.Node,
    given: yaml.Node | None,
    inputs: dict[str, ActionInput],
    *,
    handed: yaml.Node | None = None,
) -> None:
    """An example gives inputs that exist, and all that are required. `handed`: what it gives as files."""
    entries = reader.entries(given, "'with'") if given is not None else {}
    spellings = {spelling: each for each in inputs.values() for spelling in (each.name, *each.aliases)}
    for name, (key, value) in entries.items():
        if name not in spellings:
            reader.error(key, f"the action has no input '{name}'", did_you_mean(name, spellings))
            continue
        problem = misfit(value_of(value), spellings[name].type, spellings[name].options)
        if problem is not None:
            reader.error(value, f"the input '{name}' {problem}")
    files = reader.entries(handed, "'inputs'") if handed is not None else {}
    given_names = {*files} | {spellings[name].name for name in entries if name in spellings}
    for each in inputs.values():
        if each.required and each.default is None and each.name not in given_names:
            reader.error(node, f"the example leaves out the required input '{each.name}'")
