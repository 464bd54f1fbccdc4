"""YAML text to positioned nodes, and from nodes to plain values.

Workflows, manifests and lock files are all read through here, so that they share one set of rules:

* scalars follow YAML 1.2's core schema: ``on``, ``yes`` and ``no`` are words, not booleans;
* a key may stand once in a mapping;
* limits on size, nesting and alias expansion hold before any value is built (`yaml_limits`).

:func:`compose` gives a tree of PyYAML nodes, which know their line and column; a
:class:`~windlass_registry.reader.Reader` walks it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.yaml_errors import reader_problem, yaml_problem
from windlass_registry.yaml_limits import Limits, check_expansion, check_nesting

Scalar = str | int | float | bool | None
Value = Scalar | list["Value"] | dict[str, "Value"]
"""What a YAML node means as data: JSON's types."""

MergeKey: Final = "<<"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where something stands in its file; both count from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, node: yaml.Node) -> Position:
        """The place where a node begins."""
        return cls(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def compose(source: bytes | str, *, path: str, limits: Limits = Limits()) -> yaml.Node | None:
    """Parse one YAML document into nodes; None where the text is empty.

    Raises:
        AuthorError: not UTF-8, not YAML, more than one document, or over a limit.
    """
    text = _decode(source, path=path, limits=limits)
    check_nesting(text, path=path, limits=limits)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise AuthorError(yaml_problem(error, text, path=path)) from error
    except yaml.reader.ReaderError as error:
        raise AuthorError(reader_problem(text, path=path)) from error
    may_expand = "&" in text or len(text) > limits.expanded_nodes
    if node is not None and may_expand:
        check_expansion(node, path=path, limits=limits)
    return node


_PLAIN_TAG: Final = "tag:windlass,plain"
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_COLLECTION_TAG: Final = "tag:windlass,collection"


class _Loader(yaml.CSafeLoader):
    """PyYAML's parser without YAML 1.1's guesses at what a plain word means (`scalar` says that)."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        if kind is not yaml.ScalarNode:
            return _COLLECTION_TAG
        is_plain = implicit[0] if isinstance(implicit, tuple) else False
        return _PLAIN_TAG if is_plain else _TEXT_TAG


def _decode(source: bytes | str, *, path: str, limits: Limits) -> str:
    size = len(source)
    if size > limits.size_bytes:
        raise AuthorError(
            Problem(
                path=path,
                line=0,
                column=0,
                message=f"the file has {size:,} bytes, more than the {limits.size_bytes:,} that are read",
                remedy="split it into several workflows",
            )
        )
    if isinstance(source, str):
        return source
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        column = error.start - source.rfind(b"\n", 0, error.start)
        raise AuthorError(
            Problem(path=path, line=line, column=column, message="not UTF-8 text", remedy="save it as UTF-8")
        ) from error
    return text


_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: Final[Mapping[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def is_null(node: yaml.Node) -> bool:
    """Whether the node is YAML's null (an empty value, ``~`` or ``null``)."""
    return isinstance(node, yaml.ScalarNode) and scalar(node) is None


def scalar(node: yaml.ScalarNode) -> Scalar:
    """The value of a scalar by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""
    text: str = node.value
    if node.style or node.tag == _TEXT_TAG:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not (text[0].isdigit() or text[0] in "+-."):
        return text
    if _INT.match(text):
        return _integer(text)
    return float(text) if _FLOAT.match(text) else text


def _integer(text: str) -> Scalar:
    if len(text) > 64:
        return text
    if text.startswith("0o"):
        return int(text[2:], 8)
    return int(text, 16) if text.startswith("0x") else int(text)


def value_of(node: yaml.Node) -> Value:
    """A node as plain data. Keys become text as they were written; the last duplicate wins
    (report duplicates with :meth:`Reader.entries` where that matters)."""
    if isinstance(node, yaml.ScalarNode):
        return scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [value_of(item) for item in node.value]
    data: dict[str, Value] = {}
    for key, item in merged_items(node):
        data[str(key.value)] = value_of(item)
    return data


def merged_items(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping with ``<<`` merge keys written out; own keys win over merged ones."""
    if not isinstance(node, yaml.MappingNode):
        return []
    for key, _ in node.value:
        if key.value == MergeKey and not key.style:
            break
    else:
        return list(node.value)
    own = [(k, v) for k, v in node.value if k.value != MergeKey]
    seen = {k.value for k, _ in own}
    for key, value in node.value:
        if key.value != MergeKey:
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            for inherited, item in merged_items(source):
                if inherited.value not in seen:
                    seen.add(inherited.value)
                    own.append((inherited, item))
    return own


def kind_of(node: yaml.Node) -> str:
    """What a node is, in words for an error: 'a mapping', 'a list', 'text', 'a number' …"""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if not isinstance(node, yaml.ScalarNode):
        return "a list"
    match scalar(node):
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "text"
