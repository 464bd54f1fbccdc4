"""Colours for terminals: the same text without them elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
MARKS: Final = {
    "queued": "·",
    "waiting": "◷",
    "running": "▶",
    "success": "✓",
    "failure": "✗",
    "cancelled": "◼",
    "skipped": "→",
    "timed_out": "⧗",
    "neutral": "!",
    "inactive": "○",
}
TINTS: Final = {
    "queued": "dim",
    "waiting": "yellow",
    "running": "cyan",
    "success": "green",
    "failure": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "timed_out": "red",
    "neutral": "yellow",
    "inactive": "dim",
}
"""The colour of each state word; also the names of rich's styles."""


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts styles around texts, where there are colours."""

    has_colour: bool

    def __call__(self, text: str, *styles: str) -> str:
        if not self.has_colour or not text:
            return text
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def state(self, word: str, *, text: str | None = None) -> str:
        """A state word in its colour (or another text in that colour)."""
        return self(word if text is None else text, TINTS.get(word, "bold"))

    def mark(self, word: str) -> str:
        """The sign of a state."""
        return self.state(word, text=MARKS.get(word, "?"))


def duration(seconds: float | None) -> str:
    """A time span as people read it: `0.4s`, `12s`, `3m05s`, `2h04m`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def size(count: float | None) -> str:
    """An amount of bytes as people read it."""
    value = float(count or 0)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def clip(text: str, width: int) -> str:
    """The text, cut to a width with an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


_CONTROL: Final = {code: "�" for code in [*range(32), 127, *range(128, 160)] if code != 9}
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m\Z")


def tame(text: str, *, keep_colours: bool = False) -> str:
    """Text of strangers for a terminal: without what could move the cursor, repaint or ring.

    `keep_colours` leaves colours in, and ends them.
    """
    if text.isprintable():
        return text
    kept: list[str] = []
    at = 0
    for found in _SEQUENCE.finditer(text):
        kept.append(text[at : found.start()].translate(_CONTROL))
        if keep_colours and _COLOUR.match(found.group()):
            kept.append(found.group())
        at = found.end()
    tail = text[at:].translate(_CONTROL)
    is_coloured = any(part.startswith("\x1b") for part in kept)
    return "".join([*kept, tail, "\x1b[0m" if is_coloured else ""])
