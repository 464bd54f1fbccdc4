"""What expressions read and call, as far as their text says. Pure, and remembered: the expressions of a
large file are mostly the same few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from windlass_runner.expressions.nodes import Call, Index, Literal, NamedValue, Node, Star, children, walk
from windlass_runner.expressions.parser import parse
from windlass_runner.expressions.templates import OPENING, parse_template

_STRANGERS_GITHUB: Final = frozenset({"event", "head_ref", "ref_name", "ref", "base_ref"})


class Named(NamedTuple):
    """A path that an expression reads, and where it begins in the expression (from 1)."""

    path: tuple[str, ...]
    position: int


def is_set_by_strangers(path: tuple[str, ...]) -> bool:
    """Whether somebody without write access may choose the value: titles, branch names, bodies."""
    match path:
        case ("event", *_) | ("github",):
            return True
        case ("github", name, *_):
            return name.lower() in _STRANGERS_GITHUB or name == "*"
        case _:
            return False


def named_values(node: Node) -> Iterator[Named]:
    """What an expression reads, each path as far as it is known before it is evaluated."""
    match node:
        case NamedValue(name=name, position=position):
            yield Named((name.lower(),), position)
        case Index():
            yield from _indexed(node)
        case _:
            for child in children(node):
                yield from named_values(child)


def _indexed(node: Index) -> Iterator[Named]:
    keys: list[str] = []
    target: Node = node
    while isinstance(target, Index):
        match target.key:
            case Literal(value=str() as key):
                keys.append(key)
            case Star():
                keys.append("*")
            case other:
                keys.append("*")
                yield from named_values(other)
        target = target.target
    if not isinstance(target, NamedValue):
        yield from named_values(target)
        return
    path = [target.name.lower(), *reversed(keys)]
    if "*" in path:
        path = path[: path.index("*") + 1]
    yield Named(tuple(path), target.position)


class Facts(NamedTuple):
    """What one expression reads, and the functions that it calls."""

    names: tuple[Named, ...]
    calls: tuple[Call, ...]


@lru_cache(maxsize=16_384)
def facts_of(expression: str) -> Facts:
    """The facts of an expression's text; the expressions of a large file are mostly the same few.

    Raises:
        ExpressionError: it cannot be read.
    """
    node = parse(expression)
    calls = tuple(part for part in walk(node) if isinstance(part, Call))
    return Facts(tuple(named_values(node)), calls)


@lru_cache(maxsize=16_384)
def facts_within(text: str) -> tuple[tuple[Facts, int], ...]:
    """The facts of each `${{ … }}` of a text, with its offset in it.

    Raises:
        ExpressionError: one of them cannot be read.
    """
    parts = parse_template(text).expressions
    return tuple((facts_of(part.source), _source_offset(text, part.start)) for part in parts)


def _source_offset(text: str, start: int) -> int:
    """Where the expression's own text begins, behind `${{` and blanks."""
    begin = start + len(OPENING)
    while begin < len(text) and text[begin].isspace():
        begin += 1
    return begin
