"""How values lie in the database's text columns."""

from __future__ import annotations

import json
from typing import Any, Final

_EMPTY: Final[dict[str, type[Any]]] = {"{}": dict, "[]": list}
"""What most columns hold: not parsed."""
_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_json(value: Any) -> str:
    """A JSON value as compact ASCII text: no database refuses what stands in it."""
    return _encode(value)


def to_json_or_none(value: Any) -> str | None:
    """The same; None stays None."""
    return None if value is None else _encode(value)


def from_json(text: str | None) -> Any:
    """The value again; None stays None."""
    if text is None:
        return None
    make = _EMPTY.get(text)
    return json.loads(text) if make is None else make()


def storable(text: str) -> str:
    """The text, with the characters replaced that a database cannot hold (NUL, halves of pairs)."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def storable_or_none(text: str | None) -> str | None:
    """The same; None stays None."""
    return None if text is None else storable(text)
