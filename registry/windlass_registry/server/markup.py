"""HTML out of values, none of which can become markup by itself. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Control characters, and those that turn the direction of what follows them."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def fill(template: str, **values: object) -> Html:
    """The template with its `{names}` replaced: by `Html` as it is, by anything else as text."""
    return Html(template.format(**{name: _shown(value) for name, value in values.items()}))


def join(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def printable(text: str) -> str:
    """A line as a page may show it: without what steers a terminal, or turns the direction of writing."""
    bare = _TERMINAL.sub("", text)
    if bare.isascii() and bare.isprintable():
        return bare
    return "".join(letter for letter in bare if letter == "\t" or unicodedata.category(letter) not in _UNSEEN)


def _shown(value: object) -> str:
    if isinstance(value, Html):
        return value
    lines = str(value).split("\n")
    return html.escape("\n".join(map(printable, lines)))
