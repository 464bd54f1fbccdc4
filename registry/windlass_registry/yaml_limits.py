"""How large a YAML document may be, checked before any value of it is built. Only
`windlass_registry.documents` calls this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from windlass_registry.errors import AuthorError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a document may be before it is refused, unread."""

    size_bytes: int = 16 * 1024 * 1024
    nesting: int = 64
    expanded_nodes: int = 2_000_000


_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NESTED_ON_A_LINE: Final = tuple(f"{first} {second} " for first in "-?:" for second in "-?:")
_DEEP_LINE = re.compile(r"(?:[-?:] ){32}")


def _may_nest_deeply(text: str, nesting: int) -> bool:
    """A cheap upper bound, so that ordinary files are not scanned twice."""
    if " " * (2 * nesting) in text or text.count("\n") < text.count("- - "):
        return True
    if any(pair in text for pair in _NESTED_ON_A_LINE) and _DEEP_LINE.search(text) is not None:
        return True
    brackets = text.encode("utf-8", "surrogatepass").translate(None, _NOT_BRACKETS)
    for _ in range(nesting // 4):  # each turn takes the innermost pairs away
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return brackets.count(b"{") + brackets.count(b"[") > nesting // 4


def check_nesting(text: str, *, path: str, limits: Limits) -> None:
    """Refuse a text that nests too deeply, before any node of it is made.

    Raises:
        AuthorError
    """
    if not _may_nest_deeply(text, limits.nesting):
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > limits.nesting:
                message = f"nested more than {limits.nesting} levels deep"
                raise AuthorError(_problem(event, path, message))
    except yaml.YAMLError:
        return  # compose says it, with its place


def check_expansion(root: yaml.Node, *, path: str, limits: Limits) -> None:
    """Refuse a document that is too large as if every alias were written out (the "billion laughs" measure).

    Raises:
        AuthorError
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        key = id(node)
        if key in sizes:
            return sizes[key]
        if key in open_nodes:
            raise AuthorError(_problem(node, path, "an alias that contains itself"))
        open_nodes.add(key)
        size = 1 + sum(measure(child) for child in _children(node))
        open_nodes.discard(key)
        sizes[key] = size
        if size > limits.expanded_nodes:
            message = f"aliases expand to more than {limits.expanded_nodes:,} values"
            raise AuthorError(_problem(node, path, message))
        return size

    measure(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _problem(place: yaml.Node | yaml.Event, path: str, message: str) -> Problem:
    mark = place.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return Problem(path=path, line=line, column=column, message=message)
