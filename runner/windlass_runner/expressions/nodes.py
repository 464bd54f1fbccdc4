"""The syntax tree of an expression. Positions count from 1 within the expression's text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A string, number, boolean or null as written; also the name after a `.`."""

    value: str | float | bool | None
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """A context: `github`, `inputs` …"""

    name: str
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """The `*` of `a.*` and `a[*]`."""

    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """`target.key` or `target[key]`."""

    target: Node
    key: Node
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function's call; `name` as written."""

    name: str
    arguments: tuple[Node, ...]
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary:
    """`!operand`."""

    operator: str
    operand: Node
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A comparison of two values."""

    operator: str
    left: Node
    right: Node
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logical:
    """`&&` or `||` over two or more operands; gives the operand that decided."""

    operator: str
    operands: tuple[Node, ...]
    position: int = 0


Node = Literal | NamedValue | Star | Index | Call | Unary | Binary | Logical


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, in the order written."""
    match node:
        case Index(target=target, key=key):
            return (target, key)
        case Call(arguments=arguments):
            return arguments
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Logical(operands=operands):
            return operands
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)
