"""Texts that hold `${{ … }}`: read once, evaluated where the contexts are known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from windlass_runner.expressions.errors import ExpressionError
from windlass_runner.expressions.evaluator import DEFAULT_HOST, evaluate_node
from windlass_runner.expressions.host import FunctionHost
from windlass_runner.expressions.nodes import Call, Literal, Logical, Node, walk
from windlass_runner.expressions.parser import parse
from windlass_runner.expressions.signatures import STATUS_FUNCTIONS
from windlass_runner.expressions.values import Contexts, is_truthy, mark_of, to_text

OPENING: Final = "${{"
CLOSING: Final = "}}"
# The group itself is not possessive: Python 3.11.2 (Debian 12) then matches nothing.
_UP_TO_CLOSING: Final = re.compile(r"(?:[^'}]++|'[^']*+'|\}(?!\}))*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateExpression:
    """One `${{ … }}`: its tree, and where it stands in the text (`start` and `end` count from 0)."""

    node: Node
    source: str
    start: int
    end: int


Part = str | TemplateExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text as literal pieces and expressions, in order."""

    text: str
    parts: tuple[Part, ...]

    @property
    def expressions(self) -> tuple[TemplateExpression, ...]:
        """The expressions alone."""
        return tuple(part for part in self.parts if isinstance(part, TemplateExpression))

    @property
    def sole(self) -> TemplateExpression | None:
        """The expression where the text is exactly one: its value keeps its type."""
        if len(self.parts) == 1 and isinstance(self.parts[0], TemplateExpression):
            return self.parts[0]
        return None


def parse_template(
    text: str,
    *,
    names: Collection[str] | None = None,
    functions: Collection[str] | None = None,
) -> Template:
    """Find and parse the expressions of a text; `names` and `functions` as for `parse`.

    Raises:
        ExpressionError: with `offset`, the place in the text (from 0).
    """
    if OPENING not in text:
        return Template(text=text, parts=(text,) if text else ())
    return _parse_template(
        text,
        None if names is None else frozenset(names),
        None if functions is None else frozenset(functions),
    )


def evaluate_template(
    template: Template | str, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST
) -> Any:
    """The text with its expressions' values; a text that is one expression gives the value itself.

    The string is as marked as the strongest of the values in it.

    Raises:
        ExpressionError: the text cannot be read, or an expression has no value.
    """
    if isinstance(template, str):
        if OPENING not in template:
            return template
        template = parse_template(template, names=contexts)
    if sole := template.sole:
        return evaluate_part(sole, contexts, host=host)
    texts = [
        part if isinstance(part, str) else to_text(evaluate_part(part, contexts, host=host))
        for part in template.parts
    ]
    return mark_of(texts)("".join(texts))


def evaluate_part(part: TemplateExpression, contexts: Contexts, *, host: FunctionHost) -> Any:
    """The value of one expression of a template; errors carry their place in the text."""
    try:
        return evaluate_node(part.node, contexts, host=host)
    except ExpressionError as error:
        raise error.within_text(part.start + len(OPENING)) from error


def evaluate_value(value: Any, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST) -> Any:
    """A JSON-like value with every template in it evaluated, keys of mappings included.

    Raises:
        ExpressionError: as `evaluate_template`, for any text in it.
    """
    match value:
        case str():
            return evaluate_template(value, contexts, host=host)
        case Mapping():
            return {
                to_text(evaluate_template(key, contexts, host=host)): evaluate_value(
                    item, contexts, host=host
                )
                for key, item in value.items()
            }
        case list() | tuple():
            return [evaluate_value(item, contexts, host=host) for item in value]
        case _:
            return value


def condition(
    text: str,
    *,
    names: Collection[str] | None = None,
    functions: Collection[str] | None = None,
) -> Node:
    """The tree of an `if`, whose text may stand with or without `${{ }}` around it.

    Where it calls no status function, `success() && (…)` is implied; an empty one is `success()`.

    Raises:
        ExpressionError: the text is no expression, or mixes `${{ }}` with other text.
    """
    stripped = text.strip()
    node = _sole_expression(stripped, names=names, functions=functions)
    if calls_status_function(node):
        return node
    success = Call(name="success", arguments=())
    if stripped == "" or node == Literal(value=None):
        return success
    return Logical(operator="&&", operands=(success, node))


def evaluate_condition(text: str, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST) -> bool:
    """Whether the `if` holds.

    Raises:
        ExpressionError: as `condition`, or while evaluating.
    """
    return is_truthy(evaluate_node(condition(text, names=contexts), contexts, host=host))


def calls_status_function(node: Node) -> bool:
    """Whether `success`, `failure`, `always` or `cancelled` is called anywhere in it."""
    return any(isinstance(part, Call) and part.name.lower() in STATUS_FUNCTIONS for part in walk(node))


@lru_cache(maxsize=16_384)
def _parse_template(text: str, names: frozenset[str] | None, functions: frozenset[str] | None) -> Template:
    parts: list[Part] = []
    offset = 0
    while (start := text.find(OPENING, offset)) >= 0:
        if start > offset:
            parts.append(text[offset:start])
        end = _closing(text, start)
        part = _expression(text, start, end, names=names, functions=functions)
        parts.append(part)
        offset = end
    if offset < len(text):
        parts.append(text[offset:])
    return Template(text=text, parts=tuple(parts))


def _closing(text: str, start: int) -> int:
    """The offset behind the `}}` that closes the expression; one within a string does not count."""
    if found := _UP_TO_CLOSING.match(text, start + len(OPENING)):
        return found.end()
    raise ExpressionError(
        "The expression is not closed. An unescaped ${{ sequence was found, "
        "but the closing }} sequence was not found.",
        kind="parsing",
        expression=text[start:],
        offset=start,
    )


def _expression(
    text: str,
    start: int,
    end: int,
    *,
    names: frozenset[str] | None,
    functions: frozenset[str] | None,
) -> TemplateExpression:
    inner = text[start + len(OPENING) : end - len(CLOSING)]
    source = inner.strip()
    if not source:
        raise ExpressionError("An expression was expected", kind="parsing", offset=start)
    try:
        node = parse(source, names=names, functions=functions)
    except ExpressionError as error:
        begins_at = start + len(OPENING) + len(inner) - len(inner.lstrip())
        raise error.within_text(begins_at) from error
    return TemplateExpression(node=node, source=source, start=start, end=end)


def _sole_expression(text: str, *, names: Collection[str] | None, functions: Collection[str] | None) -> Node:
    if not text.startswith(OPENING):
        try:
            return parse(text, names=names, functions=functions)
        except ExpressionError:
            if OPENING not in text:
                raise
    if sole := parse_template(text, names=names, functions=functions).sole:
        return sole.node
    raise ExpressionError(
        "An `if` is one expression: put ${{ }} around the whole of it, or around nothing",
        kind="parsing",
        expression=text,
    )
