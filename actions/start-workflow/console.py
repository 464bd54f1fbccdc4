"""The log of the step on GitHub, into which strangers' texts go without giving it commands."""

from __future__ import annotations

import secrets
import sys


class Console:
    """The log of the step: workflow commands of our own, and texts of strangers that can give none
    (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands)."""

    def __init__(self) -> None:
        self._fence = secrets.token_hex(16)
        self._is_open = False

    def say(self, text: str) -> None:
        _put(text)

    def mask(self, text: str) -> None:
        _put(f"::add-mask::{text}")

    def error(self, text: str, *, title: str = "") -> None:
        self.close()
        about = f" title={_escaped(title, ':,')}" if title else ""
        _put(f"::error{about}::{_escaped(text)}")

    def open(self, title: str) -> None:
        """Begin a group for strangers' lines."""
        _put(f"::group::{_escaped(title)}\n::stop-commands::{self._fence}")
        self._is_open = True

    def lines(self, texts: list[str]) -> None:
        """Lines of the open group."""
        if texts:
            _put("\n".join(texts))

    def close(self) -> None:
        """End the group, if one is open."""
        if self._is_open:
            self._is_open = False
            _put(f"::{self._fence}::\n::endgroup::")


def _put(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _escaped(text: str, more: str = "") -> str:
    for letter in "%\r\n" + more:
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def one_line(text: str) -> str:
    """A text of strangers on a line that begins no command."""
    return _escaped(text).replace("::", ": :").replace("##[", "# #[")
