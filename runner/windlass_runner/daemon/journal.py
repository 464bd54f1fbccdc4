"""The daemon's log: events with fields, one line each, on the standard library's logging.

A terminal gets `key=value`, everything else JSON lines. Fields are short: never a secret, never a
whole payload. What lower rooms and the HTTP server log through `logging` comes out in the same form.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final, TextIO

ROOT: Final = "windlass_runner"
_ROOTS: Final = (ROOT, "uvicorn")
_LONGEST: Final = 2_000


class Journal:
    """Writes events down. `name` tells the part of the daemon; fields are keyword arguments."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{name}")

    def info(self, event: str, /, **fields: Any) -> None:
        """Something happened, as it should."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, /, **fields: Any) -> None:
        """Something that the owner may want to look at; we go on."""
        self._logger.warning(event, extra={"fields": fields})

    def broken(self, event: str, error: BaseException, /, **fields: Any) -> None:
        """A mistake of ours: with the stack trace."""
        self._logger.error(event, extra={"fields": {**fields, "error": repr(error)}}, exc_info=error)


def start_journal(stream: TextIO, *, has_terminal: bool) -> logging.Handler:
    """Send all events to the stream from now on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_KeyValues() if has_terminal else _JsonLines())
    for name in _ROOTS:
        root = logging.getLogger(name)
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        root.propagate = False
    return handler


def stop_journal(handler: logging.Handler) -> None:
    """Undo `start_journal`."""
    for name in _ROOTS:
        logging.getLogger(name).removeHandler(handler)
    handler.flush()


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _printable(json.dumps(_entry(self, record), ensure_ascii=False, default=str))


class _KeyValues(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = _entry(self, record)
        head = f"{entry.pop('at')} {entry.pop('level'):<7} {entry.pop('event')}"
        trace = entry.pop("trace", "")
        words = [f"{key}={_quoted(value)}" for key, value in entry.items()]
        lines = [" ".join([head, *words]), *trace.splitlines()]
        return "\n".join(map(_printable, lines))


def _entry(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    for key, value in getattr(record, "fields", {}).items():
        entry[key] = (
            value if value is None or isinstance(value, bool | int | float) else str(value)[:_LONGEST]
        )
    if record.exc_info:
        entry["trace"] = formatter.formatException(record.exc_info)
    return entry


def _quoted(value: Any) -> str:
    text = str(value)
    is_word = text.isprintable() and text and not any(c in ' "=' for c in text)
    return text if is_word else json.dumps(text, ensure_ascii=False)


def _printable(text: str) -> str:
    """The text with JSON's escapes for all that could steer the terminal on which somebody reads the log."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
