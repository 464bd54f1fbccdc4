"""Which names the files of a package may have: those that every disk can hold, no two of which look the same.

A reader of a diff, of a log or of a package's page sees names, not bytes. A letter that turns the direction
of writing round, or has no width, hides what a file is; of two names that differ in case alone, some file
systems keep one file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

PART_BYTES: Final = 255
"""What file systems take between two slashes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def fault_of_name(name: str, *, path_bytes: int) -> tuple[str, str | None] | None:
    """What is wrong with the path of a file, and what to do; None where nothing is."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "a file name that is not UTF-8", "rename it"
    if _CONTROL.search(name):
        return "a file name with a control character or backslash", "rename it"
    if _UNSEEN.search(name):
        return "a file name with a character that nobody sees, or that turns the writing round", "rename it"
    if len(encoded) > path_bytes:
        return f"a path of more than {path_bytes} bytes", "shorten it"
    if any(len(part) > PART_BYTES for part in encoded.split(b"/")):
        return f"a file name of more than {PART_BYTES} bytes", "shorten it"
    return None


def alike(names: Iterable[str], folders: Iterable[str]) -> tuple[str, str] | None:
    """Two paths, one of them or both a file's, that some file systems take for one; None where all differ."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(_folded(name), name)
        if other != name:
            return other, name
    for folder in sorted(folders):
        other = seen.get(_folded(folder), folder)
        if other != folder:
            return other, folder
    return None


def _folded(name: str) -> str:
    """What names have in common that differ only in case, or in how an accent is written."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
