"""The values of expressions: their kinds, coercions and comparisons, and where they came from.

The rules are those of GitHub's runner (`EvaluationResult`, `ExpressionUtility`): JavaScript's
abstract comparison, except that strings compare without case and objects by identity.

A string that a stranger could have set is an :class:`Untrusted`; a secret is a :class:`Secret`.
Both are plain strings to every reader, and whatever builds a string from one gives one again, so
that the text of a script never receives such a value unnoticed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

Kind = Literal["Null", "Boolean", "Number", "String", "Array", "Object"]
Contexts = Mapping[str, Any]
"""What an expression can name: JSON-like values by name; the names ignore case."""

LARGEST_EXACT: Final = 2**53
WHITESPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_UNCASED: Final = "\u0131\u017f"  # dotless i and long s: never equal to their ASCII relatives
_PRIMITIVE: Final = frozenset({"Null", "Boolean", "Number", "String"})


class Untrusted(str):
    """A string that somebody without write access could have chosen (a title, a branch name)."""

    __slots__ = ()


class Secret(Untrusted):
    """A string that must not be seen; it is never pasted into a text either."""

    __slots__ = ()


class FilteredArray(list[Any]):
    """What `.*` gives: a further index applies to each item, not to the array."""

    __slots__ = ()


def untrusted(value: Any) -> Any:
    """A copy of a JSON-like value whose every string, keys included, is marked as a stranger's."""
    return marked(value, Untrusted)


def secret(value: Any) -> Any:
    """A copy of a JSON-like value whose every string, keys included, is marked as a secret."""
    return marked(value, Secret)


def marked(value: Any, mark: type[str]) -> Any:
    """A copy of `value` with the mark on each string; a stronger mark stays."""
    match value:
        case str():
            return value if isinstance(value, mark) else mark(value)
        case Mapping():
            return {marked(key, mark): marked(item, mark) for key, item in value.items()}
        case list() | tuple():
            return [marked(item, mark) for item in value]
        case _:
            return value


def mark_of(values: Iterable[Any]) -> type[str]:
    """The strongest mark among the strings of some values: `Secret`, `Untrusted` or plain `str`."""
    found: type[str] = str
    for value in values:
        if isinstance(value, Secret):
            return Secret
        if isinstance(value, Untrusted):
            found = Untrusted
        elif isinstance(value, Mapping):
            found = _stronger(found, mark_of([*value.keys(), *value.values()]))
        elif isinstance(value, (list, tuple)):
            found = _stronger(found, mark_of(value))
    return found


def kind_of(value: Any) -> Kind:
    """Which of the language's six kinds a Python value is; `TypeError` for anything else."""
    match value:
        case None:
            return "Null"
        case bool():
            return "Boolean"
        case str():
            return "String"
        case int() | float():
            return "Number"
        case Mapping():
            return "Object"
        case list() | tuple():
            return "Array"
        case _:
            raise TypeError(f"not a value of the expression language: {type(value).__name__}")


def is_primitive(value: Any) -> bool:
    """Whether the value is neither an array nor an object."""
    return kind_of(value) in _PRIMITIVE


def is_truthy(value: Any) -> bool:
    """What `&&`, `||`, `!` and `if` make of a value; arrays and objects are true, also empty ones."""
    match value:
        case None:
            return False
        case bool():
            return value
        case str():
            return value != ""
        case int() | float():
            return not (value == 0 or math.isnan(value))
        case _:
            return True


def to_text(value: Any) -> str:
    """A value as text, as `format` and templates write it; the mark of a string stays."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return number_text(value)
        case _:
            return kind_of(value)


def number_text(number: float) -> str:
    """A number as .NET's invariant `G15` writes it, with a plain `0` for negative zero."""
    try:
        number = float(number)
    except OverflowError:
        return "Infinity" if number > 0 else "-Infinity"
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    return f"{number:.15g}".replace("e", "E")


def to_number(value: Any) -> float:
    """A value as a number; NaN for what is none."""
    match value:
        case None:
            return 0
        case bool():
            return 1 if value else 0
        case str():
            return parse_number(value)
        case int() | float():
            return value
        case _:
            return math.nan


def parse_number(text: str) -> float:
    """Read a decimal, `0x` (32 bits), `0o` (32 bits) or infinite number; blank is 0, else NaN."""
    text = text.strip(WHITESPACE)
    if not text:
        return 0
    if _DECIMAL.fullmatch(text):
        return exact(float(text))
    if text in ("Infinity", "+Infinity"):
        return math.inf
    if text == "-Infinity":
        return -math.inf
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return _signed_32(int(text[2:], 16))
    if re.fullmatch(r"0o[0-7]+", text):
        return _signed_32(int(text[2:], 8))
    return math.nan


def exact(number: float) -> float:
    """An `int` where the double is a whole number it holds exactly, so that 3 prints as 3."""
    if math.isfinite(number) and number == int(number) and abs(number) <= LARGEST_EXACT:
        is_negative_zero = number == 0 and math.copysign(1, number) < 0
        return number if is_negative_zero else int(number)
    return number


def folded(text: str) -> str:
    """A string in the case that comparisons use: .NET's ordinal upper case, letter by letter."""
    if text.isascii():
        return text.upper()
    return "".join(_upper(letter) for letter in text)


def are_equal(left: Any, right: Any) -> bool:
    """`==`: coerced as JavaScript does, strings without case, arrays and objects by identity."""
    left, right = _coerced(left, right)
    match kind_of(left):
        case kind if kind != kind_of(right):
            return False
        case "Null":
            return True
        case "String":
            return folded(left) == folded(right)
        case "Array" | "Object":
            return left is right
        case _:
            return bool(left == right)


def is_greater(left: Any, right: Any) -> bool:
    """`>`; always false between values that cannot be ordered."""
    left, right = _coerced(left, right)
    match kind_of(left):
        case kind if kind != kind_of(right):
            return False
        case "String":
            return _order(left) > _order(right)
        case "Number" | "Boolean":
            return bool(left > right)
        case _:
            return False


def find_key(mapping: Mapping[str, Any], key: str) -> str | None:
    """The key as the mapping spells it: the exact one first, else the first that differs in case."""
    if key in mapping:
        return key
    wanted = folded(key)
    for known in mapping:
        if folded(known) == wanted:
            return known
    return None


def plain(value: Any) -> Any:
    """A JSON-like value without marks, as built-in types: for what leaves the language."""
    match value:
        case str():
            return str.__str__(value)
        case Mapping():
            return {str.__str__(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _stronger(one: type[str], other: type[str]) -> type[str]:
    return one if issubclass(one, other) else other


def _signed_32(number: int) -> float:
    if number >= 2**32:
        return math.nan
    return number - 2**32 if number >= 2**31 else number


def _upper(letter: str) -> str:
    upper = letter.upper()
    return upper if len(upper) == 1 and letter not in _UNCASED else letter


def _order(text: str) -> bytes:
    return folded(text).encode("utf-16-be", "surrogatepass")


def _coerced(left: Any, right: Any) -> tuple[Any, Any]:
    left_kind, right_kind = kind_of(left), kind_of(right)
    if left_kind == right_kind:
        return left, right
    if left_kind in ("Boolean", "Null"):
        return _coerced(to_number(left), right)
    if right_kind in ("Boolean", "Null"):
        return _coerced(left, to_number(right))
    if left_kind == "Number" and right_kind == "String":
        return left, to_number(right)
    if left_kind == "String" and right_kind == "Number":
        return to_number(left), right
    return left, right
