"""Where in a file something inside a text stands: an expression in the third line of a block, say."""

from __future__ import annotations

from typing import Final

import yaml

from windlass_registry.documents import Position
from windlass_runner.workflow.reading import Text

OPENING: Final = "${{"


def locate(text: Text, offset: int, lines: list[str]) -> Position:
    """The place in the file of an offset in a text, inside block scalars too."""
    node = text.node
    start = Position.of(node)
    if text.text is not node.value and text.text != node.value:
        return start  # Gradient's spelling: what is checked does not stand in the file
    raw = _raw(node, lines)
    if text.is_condition or "${{" not in text.text:
        anchor, found = 0, _first_line(raw, text.text)
    else:
        anchor = max(text.text.rfind(OPENING, 0, offset + len(OPENING)), 0)
        found = _nth(raw, text.text.count(OPENING, 0, anchor))
    if found < 0:
        return start
    at = _follow(raw, found, text.text[anchor:offset])
    line = start.line + raw.count("\n", 0, at)
    last_break = raw.rfind("\n", 0, at)
    column = at - last_break if last_break >= 0 else start.column + at
    return Position(line=line, column=column)


def _raw(node: yaml.Node, lines: list[str]) -> str:
    """The node's own piece of the file."""
    first, last = node.start_mark, node.end_mark
    piece = lines[first.line : last.line + 1]
    if not piece:
        return ""
    if first.line == last.line:
        return piece[0][first.column : last.column]
    piece[0] = piece[0][first.column :]
    piece[-1] = piece[-1][: last.column]
    return "\n".join(piece)


def _follow(raw: str, start: int, text: str) -> int:
    """The place in `raw` behind a text that begins at `start`, however YAML folded its blanks."""
    at = start
    for character in text:
        if character.isspace():
            continue
        while raw[at : at + 1].isspace():
            at += 1
        if raw[at : at + 1] != character:
            return start  # an escape of a quoted scalar
        at += 1
    while text[-1:].isspace() and raw[at : at + 1].isspace():
        at += 1
    return at


def _first_line(raw: str, text: str) -> int:
    return raw.find(text.strip().split("\n", 1)[0])


def _nth(raw: str, number: int) -> int:
    at = raw.find(OPENING)
    while number > 0 and at >= 0:
        at = raw.find(OPENING, at + 1)
        number -= 1
    return at
