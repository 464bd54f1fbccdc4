"""What an expression names, without evaluating it: for checks of `needs`, and of what it may see."""

from __future__ import annotations

from typing import Final

from windlass_runner.expressions.nodes import Index, Literal, NamedValue, Node, Star, children
from windlass_runner.expressions.values import to_text

Path = tuple[str, ...]
ANY: Final = "*"
"""Stands in a path for what is known only when the expression is evaluated; the path ends there."""


def references(node: Node) -> frozenset[Path]:
    """The paths that the expression reads, such as `("needs", "train", "outputs", "model")`.

    The context's name is in lower case, the rest as written. A star or a computed key ends the path
    with `*`; what the key itself reads is in the set too.
    """
    found: set[Path] = set()
    _collect(node, found)
    return frozenset(found)


def context_names(node: Node) -> frozenset[str]:
    """The contexts that the expression uses, in lower case."""
    return frozenset(path[0] for path in references(node))


def _collect(node: Node, found: set[Path]) -> None:
    path = _path(node)
    if path is not None:
        found.add(path)
        _collect_keys(node, found)
        return
    for child in children(node):
        _collect(child, found)


def _path(node: Node) -> Path | None:
    """The path of a name with indexes; None for anything else."""
    match node:
        case NamedValue(name=name):
            return (name.lower(),)
        case Index(target=target, key=key):
            path = _path(target)
            if path is None or path[-1] == ANY:
                return path
            return (*path, to_text(key.value) if isinstance(key, Literal) else ANY)
        case _:
            return None


def _collect_keys(node: Node, found: set[Path]) -> None:
    while isinstance(node, Index):
        if not isinstance(node.key, (Literal, Star)):
            _collect(node.key, found)
        node = node.target
