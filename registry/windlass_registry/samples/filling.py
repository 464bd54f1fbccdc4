"""Fills a sample's template: `${{ parameters.epochs }}` becomes the value that the subscriber chose.

Done once, when somebody subscribes, on the text itself: comments and layout stay as the sample's author
wrote them, and a later release can be merged line by line. A value stays a value: whatever it holds, it
ends where the placeholder ended, and nothing of it is read as YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import yaml

from windlass_registry.documents import Position, Value, compose, scalar
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.yaml_text import one_line

PLACEHOLDER: Final = re.compile(r"\$\{\{\s*(?P<name>(?:parameters|sample)\.[A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+@-]*\Z")


def fill(template: str, values: Mapping[str, Value], *, name: str, folder: str, path: str) -> str:
    """The workflow's text for one subscriber.

    `name` and `folder` stand for `sample.name` and `sample.folder`; `path` is where problems are reported.

    Raises:
        AuthorError: the template is not YAML, names what has no value, or has a placeholder where none
            can stand.
    """
    known: dict[str, Value] = {f"parameters.{key}": value for key, value in values.items()}
    known |= {"sample.name": name, "sample.folder": folder}
    root = compose(template, path=path)
    pieces: list[str] = []
    done = 0
    for node in sorted(_filled_nodes(root), key=lambda node: node.start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        pieces += [template[done:start], _rendered(node, template[start:end], known, path=path)]
        done = end
    text = "".join([*pieces, template[done:]])
    _refuse_left_over(text, path=path)
    return text


def _filled_nodes(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The scalars with a placeholder, each once (an alias is the same node again)."""
    seen: set[int] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if PLACEHOLDER.search(node.value):
                yield node
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _rendered(node: yaml.ScalarNode, source: str, known: Mapping[str, Value], *, path: str) -> str:
    def value_of(found: re.Match[str]) -> Value:
        if found["name"] not in known:
            raise AuthorError(_at(node, path, f"'{found['name']}' has no value"))
        return known[found["name"]]

    whole = PLACEHOLDER.fullmatch(node.value.strip())
    if whole is not None and node.style not in ("|", ">"):  # quotes too: in {…} and […] YAML wants them
        return _as_yaml(value_of(whole))
    if node.style in ("|", ">"):
        return PLACEHOLDER.sub(lambda found: _one_line(node, value_of(found), path=path), source)
    text = PLACEHOLDER.sub(lambda found: as_text(value_of(found)), node.value)
    if node.style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if not node.style and PLACEHOLDER.sub("", node.value).isprintable() and _stays_plain(node, text):
        return text
    return one_line(text)


def _stays_plain(node: yaml.ScalarNode, text: str) -> bool:
    """Whether the filled text, written as it is, is read as just that text: the author's own words may hold
    anything that was plain before; what was filled in may not add a mark of YAML."""
    try:
        read = compose(f"- {text}\n", path="")
    except AuthorError:
        return False
    inner = read.value[0] if isinstance(read, yaml.SequenceNode) and len(read.value) == 1 else None
    is_same = isinstance(inner, yaml.ScalarNode) and not inner.style and inner.value == text
    return (
        is_same and not any(mark in text for mark in ",[]{}") and node.start_mark.line == node.end_mark.line
    )


def _as_yaml(value: Value) -> str:
    """A value alone: plain where it reads back as itself, else as JSON, which YAML holds."""
    if isinstance(value, str) and _PLAIN.match(value) and _reads_as_text(value):
        return value
    return one_line(value)


def _reads_as_text(word: str) -> bool:
    node = compose(word, path="")
    return isinstance(node, yaml.ScalarNode) and scalar(node) == word


def as_text(value: Value) -> str:
    """A value within a longer text: as an expression would show it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return f"{value}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _one_line(node: yaml.ScalarNode, value: Value, *, path: str) -> str:
    text = as_text(value)
    if "\n" in text or not text.isprintable():
        raise AuthorError(_at(node, path, f"a value of several lines cannot stand in a block: {text!r:.60}"))
    return text


def _refuse_left_over(text: str, *, path: str) -> None:
    """A placeholder in a comment stays; one in a key, or within a longer expression, is a mistake."""
    for line, content in enumerate(text.splitlines(), start=1):
        found = re.search(r"\$\{\{[^}]*\b(parameters|sample)\.", content)
        if found is not None and "#" not in content[: found.start()]:
            raise AuthorError(
                Problem(
                    path=path,
                    line=line,
                    column=found.start() + 1,
                    message=f"'{found[1]}' stands within a longer expression",
                    remedy="it is filled in once, at subscription: write ${{ parameters.NAME }} alone",
                )
            )


def _at(node: yaml.Node, path: str, message: str) -> Problem:
    place = Position.of(node)
    return Problem(path=path, line=place.line, column=place.column, message=message)
