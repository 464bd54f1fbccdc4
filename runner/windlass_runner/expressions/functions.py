"""The functions of the language, over values that are already known.

A function that builds a string gives it the strongest mark of what it was built from, so that a
stranger's text stays recognisable (see `values`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Never

from windlass_runner.expressions.errors import ExpressionError, evaluation_error
from windlass_runner.expressions.signatures import MOST_ARGUMENTS
from windlass_runner.expressions.values import (
    are_equal,
    exact,
    folded,
    is_primitive,
    mark_of,
    marked,
    to_text,
)

_INDEX: Final = re.compile(r"0*[0-9]{1,3}")
_SEPARATORS: Final = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def contains(search: Any, item: Any) -> bool:
    """Whether an array holds an equal item, or a string the text, ignoring case."""
    if isinstance(search, (list, tuple)):
        return any(are_equal(item, candidate) for candidate in search)
    return _texts_hold(search, item, lambda text, part: part in text)


def starts_with(text: Any, part: Any) -> bool:
    """Whether the text begins so, ignoring case."""
    return _texts_hold(text, part, str.startswith)


def ends_with(text: Any, part: Any) -> bool:
    """Whether the text ends so, ignoring case."""
    return _texts_hold(text, part, str.endswith)


def format_text(template: Any, *arguments: Any) -> str:
    """`format`: `{N}` becomes the argument N; `{{` and `}}` are the braces themselves."""
    text = to_text(template)
    pieces: list[str] = []
    used: list[Any] = [text]
    offset = 0
    while offset < len(text):
        brace = _next_brace(text, offset)
        pieces.append(text[offset:brace])
        if brace == len(text):
            break
        if text[brace + 1 : brace + 2] == text[brace]:
            pieces.append(text[brace])
            offset = brace + 2
            continue
        end = text.find("}", brace)
        value = _placed_argument(text, text[brace + 1 : end] if end > brace else "", arguments)
        pieces.append(to_text(value))
        used.append(pieces[-1])
        offset = end + 1
    return mark_of(used)("".join(pieces))


def join(items: Any, separator: Any = ",") -> str:
    """The items' texts with the separator between them; a single value is its own text."""
    if isinstance(items, (list, tuple)):
        between = to_text(separator) if is_primitive(separator) else ","
        texts = [to_text(item) for item in items]
        used = [*texts, between] if len(texts) > 1 else texts
        return mark_of(used)(between.join(texts))
    return to_text(items) if is_primitive(items) else ""


def to_json(value: Any) -> str:
    """The value as JSON, indented by two spaces, with keys as they are spelled."""
    try:
        return mark_of([value])(_json(value, indent="\n"))
    except RecursionError as error:
        raise evaluation_error("toJSON: the value is nested too deeply") from error


def from_json(text: Any) -> Any:
    """The value that a JSON text means; its strings carry the text's mark.

    Raises:
        ExpressionError: the text is not JSON.
    """
    source = to_text(text)
    if not source.strip():
        raise evaluation_error("Error parsing JSON when evaluating fromJson: empty input")
    try:
        value = json.loads(
            source,
            object_pairs_hook=_object,
            parse_int=_whole_number,
            parse_float=lambda digits: exact(float(digits)),
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise _json_error(f"{error.msg} (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise _json_error("nested too deeply") from error
    value = _without_lone_surrogates(value) if "\\u" in source else value
    mark = mark_of([source])
    return value if mark is str else marked(value, mark)


PURE: Final[Mapping[str, Callable[..., Any]]] = {
    "contains": contains,
    "startswith": starts_with,
    "endswith": ends_with,
    "format": format_text,
    "join": join,
    "tojson": to_json,
    "fromjson": from_json,
}
"""By name in lower case. `case` is the evaluator's: it evaluates only what it needs."""


def _texts_hold(left: Any, right: Any, holds: Callable[[str, str], bool]) -> bool:
    if not (is_primitive(left) and is_primitive(right)):
        return False
    return holds(folded(to_text(left)), folded(to_text(right)))


def _next_brace(text: str, offset: int) -> int:
    found = [place for brace in "{}" if (place := text.find(brace, offset)) >= 0]
    return min(found, default=len(text))


def _placed_argument(text: str, index: str, arguments: Sequence[Any]) -> Any:
    """The argument that `{index}` of the format text names."""
    digits, colon, specifiers = index.partition(":")
    if not _INDEX.fullmatch(digits) or int(digits) > MOST_ARGUMENTS:
        raise evaluation_error(f"The following format string is invalid: {text}")
    if int(digits) >= len(arguments):
        raise evaluation_error(
            f"The following format string references more arguments than were supplied: {text}"
        )
    if colon and specifiers:
        raise evaluation_error(f"The following format string is invalid: {text}")
    return arguments[int(digits)]


def _json(value: Any, *, indent: str) -> str:
    """`indent` is a line break and the spaces that stand before the value's own closing bracket."""
    inner = indent + "  "
    match value:
        case None | bool() | int() | float():
            return "null" if value is None else to_text(value)
        case str():
            return _json_string(value)
        case Mapping():
            entries = [f"{_json_string(key)}: {_json(item, indent=inner)}" for key, item in value.items()]
            return "{" + inner + f",{inner}".join(entries) + indent + "}" if entries else "{}"
        case _:
            items = [_json(item, indent=inner) for item in value]
            return "[" + inner + f",{inner}".join(items) + indent + "]" if items else "[]"


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_SEPARATORS)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of names that differ only in case the first stays; of equal ones the last value counts."""
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for name, value in pairs:
        if spelled.setdefault(folded(name), name) == name:
            found[name] = value
    return found


def _whole_number(digits: str) -> float:
    return exact(float(digits)) if digits != "-0" else 0


def _refuse_constant(name: str) -> Never:
    raise _json_error(f"'{name}' is not JSON")


def _json_error(detail: str) -> ExpressionError:
    return evaluation_error(f"Error parsing JSON when evaluating fromJson: {detail}")


def _without_lone_surrogates(value: Any) -> Any:
    """`\\ud800` alone is no character: it could not be written anywhere."""
    mend = _without_lone_surrogates
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {mend(key): mend(item) for key, item in value.items()}
        case list():
            return [mend(item) for item in value]
        case _:
            return value
