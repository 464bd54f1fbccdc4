"""YAML text to positioned nodes, and from nodes to plain values, with every problem at its place.

Workflows, manifests and lock files are all read through here, so that they share one set of rules:

* scalars follow YAML 1.2's core schema: ``on``, ``yes`` and ``no`` are words, not booleans;
* a key may stand once in a mapping;
* limits on size, nesting and alias expansion hold before any value is built.

:func:`compose` gives a tree of PyYAML nodes (which know their line and column); a :class:`Reader`
walks it, collects :class:`~windlass_registry.errors.Problem` values and never stops at the first.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import yaml

from windlass_registry.errors import AuthorError, Problem
from windlass_registry.yaml_errors import reader_problem, yaml_problem

Scalar = str | int | float | bool | None
Value = Scalar | list["Value"] | dict[str, "Value"]
"""What a YAML node means as data: JSON's types."""

MergeKey: Final = "<<"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a document may be before it is refused, unread."""

    size_bytes: int = 16 * 1024 * 1024
    nesting: int = 64
    expanded_nodes: int = 2_000_000


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
    if _may_nest_deeply(text, limits.nesting):
        _check_nesting(text, path=path, limits=limits)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise AuthorError(yaml_problem(error, text, path=path)) from error
    except yaml.reader.ReaderError as error:
        raise AuthorError(reader_problem(text, path=path)) from error
    may_expand = "&" in text or len(text) > limits.expanded_nodes
    if node is not None and may_expand:
        _check_expansion(node, path=path, limits=limits)
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


def _check_nesting(text: str, *, path: str, limits: Limits) -> None:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > limits.nesting:
                raise AuthorError(
                    Problem(
                        path=path,
                        line=mark.line + 1 if (mark := event.start_mark) else 0,
                        column=mark.column + 1 if mark else 0,
                        message=f"nested more than {limits.nesting} levels deep",
                    )
                )
    except yaml.YAMLError:
        return  # compose says it, with its place


def _check_expansion(root: yaml.Node, *, path: str, limits: Limits) -> None:
    """Count nodes as if every alias were written out (the "billion laughs" measure)."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        key = id(node)
        if key in sizes:
            return sizes[key]
        if key in open_nodes:
            raise AuthorError(_at(node, path, "an alias that contains itself"))
        open_nodes.add(key)
        size = 1 + sum(measure(child) for child in _children(node))
        open_nodes.discard(key)
        sizes[key] = size
        if size > limits.expanded_nodes:
            raise AuthorError(
                _at(node, path, f"aliases expand to more than {limits.expanded_nodes:,} values")
            )
        return size

    measure(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _at(node: yaml.Node, path: str, message: str, remedy: str | None = None) -> Problem:
    place = Position.of(node)
    return Problem(path=path, line=place.line, column=place.column, message=message, remedy=remedy)


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


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that somebody who wrote `word` most likely meant, if there is one."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """The remedy for an unknown word: the nearest known one, else a short list of them."""
    close = nearest(word, known)
    if close is not None:
        return f"did you mean '{close}'?"
    if known and len(known) <= 12:
        return "known here: " + ", ".join(sorted(known))
    return None


class Reader:
    """Reads typed values off nodes of one file and collects what is wrong with them.

    Every method returns the value, or None (or an empty collection) after noting a problem, so that
    reading goes on. Call :meth:`raise_if_broken` at the end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def error(self, node: yaml.Node | Position, message: str, remedy: str | None = None) -> None:
        """Note an error at a node."""
        place = node if isinstance(node, Position) else Position.of(node)
        self.problems.append(
            Problem(path=self.path, line=place.line, column=place.column, message=message, remedy=remedy)
        )

    def warn(self, node: yaml.Node | Position, message: str, remedy: str | None = None) -> None:
        """Note something that runs, but probably not as its author thinks."""
        place = node if isinstance(node, Position) else Position.of(node)
        self.problems.append(
            Problem(
                path=self.path,
                line=place.line,
                column=place.column,
                message=message,
                remedy=remedy,
                severity="warning",
            )
        )

    def raise_if_broken(self) -> None:
        """Raise all problems, in the order of the text, if one of them is an error."""
        self.problems.sort(key=lambda p: (p.line, p.column))
        if any(problem.severity == "error" for problem in self.problems):
            raise AuthorError(*self.problems)

    def entries(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.ScalarNode, yaml.Node]]:
        """The entries of a mapping by key, each with its key node; duplicates are errors."""
        if not isinstance(node, yaml.MappingNode):
            if not is_null(node):
                self.error(node, f"{what} must be a mapping, not {kind_of(node)}")
            return {}
        found: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in merged_items(node):
            if not isinstance(key, yaml.ScalarNode):
                self.error(key, f"a key of {what} must be text, not {kind_of(key)}")
                continue
            if key.value in found:
                first = Position.of(found[key.value][0])
                self.error(key, f"'{key.value}' stands twice in {what}", f"the first is on line {first.line}")
                continue
            found[key.value] = (key, value)
        return found

    def fields(
        self,
        node: yaml.Node,
        what: str,
        known: Collection[str],
        *,
        elsewhere: Mapping[str, str] | None = None,
    ) -> dict[str, yaml.Node]:
        """The entries of a mapping whose keys are fixed; unknown keys are errors.

        `elsewhere` gives, for words that people bring from other systems, what to write here.
        """
        result: dict[str, yaml.Node] = {}
        for name, (key, value) in self.entries(node, what).items():
            if name in known:
                result[name] = value
            elif elsewhere and name in elsewhere:
                self.error(key, f"'{name}' is not a key of {what}", elsewhere[name])
            else:
                self.error(key, f"unknown key '{name}' in {what}", did_you_mean(name, known))
        return result

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The items of a list."""
        if is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.error(node, f"{what} must be a list, not {kind_of(node)}")
            return []
        return list(node.value)

    def items_or_one(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The items of a list, or the one scalar that stands in place of a list of one."""
        if isinstance(node, yaml.ScalarNode):
            return [] if is_null(node) else [node]
        return self.items(node, what)

    def text(self, node: yaml.Node, what: str) -> str | None:
        """Text as it was written: ``3.10`` stays ``3.10``."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            self.error(node, f"{what} must be text, not {kind_of(node)}")
            return None
        return str(node.value)

    def texts(self, node: yaml.Node, what: str) -> list[str]:
        """A list of texts, or one text in place of a list of one."""
        found = (self.text(item, f"an item of {what}") for item in self.items_or_one(node, what))
        return [item for item in found if item is not None]

    def truth(self, node: yaml.Node, what: str) -> bool | None:
        """True or false."""
        return self._typed(node, what, "true or false", lambda v: v if isinstance(v, bool) else None)

    def whole(self, node: yaml.Node, what: str, *, least: int = 0) -> int | None:
        """A whole number of at least `least`."""
        wanted = f"a whole number of at least {least}"
        return self._typed(node, what, wanted, lambda v: _whole(v, least))

    def number(self, node: yaml.Node, what: str, *, above: float | None = None) -> float | None:
        """A number, greater than `above` where that is given."""
        wanted = "a number" if above is None else f"a number above {above:g}"

        def check(value: Scalar) -> float | None:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return None
            return value if above is None or value > above else None

        return self._typed(node, what, wanted, check)

    def choice(self, node: yaml.Node, what: str, known: Collection[str]) -> str | None:
        """One of some words."""
        word = self.text(node, what)
        if word is None or word in known:
            return word
        self.error(node, f"{what} cannot be '{word}'", did_you_mean(word, known))
        return None

    def _typed(
        self, node: yaml.Node, what: str, wanted: str, check: Callable[[Scalar], _T | None]
    ) -> _T | None:
        if isinstance(node, yaml.ScalarNode):
            found = check(scalar(node))
            if found is not None:
                return found
            shown = f"'{node.value}'" if node.value else "nothing"
            self.error(node, f"{what} must be {wanted}, not {shown}")
            return None
        self.error(node, f"{what} must be {wanted}, not {kind_of(node)}")
        return None


def _whole(value: Scalar, least: int) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and isinstance(value, int) and value >= least else None
