"""`hashFiles`: one SHA-256 over the files that patterns choose, as GitHub's runner makes it.

The digest is the SHA-256 of the files' own SHA-256 digests, in the order of their paths. Patterns
are those of GitHub's `@actions/glob`: `*`, `?`, `[…]`, `**`, `!` to take away again, `#` for a comment;
a pattern that names a folder takes all below it, and names that begin with a dot match like any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_runner.expressions.errors import evaluation_error

_WILDCARDS: Final = {"*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    takes_away: bool


def hash_files(root: Path, patterns: Sequence[str]) -> str:
    """The digest of the files under `root` that match; empty where none does.

    Links to folders are not entered, and a link to a file counts only where it stays under `root`.

    Raises:
        ExpressionError: a file cannot be read.
    """
    compiled = [pattern for text in patterns for pattern in _compile(text, root=root)]
    total = hashlib.sha256()
    matched = False
    for path in _files(root):
        if _is_chosen(path, compiled):
            total.update(_digest(root / path))
            matched = True
    return total.hexdigest() if matched else ""


def _files(root: Path) -> Iterator[str]:
    """Paths of the files below `root`, relative, with `/`, in the order of their names."""
    real_root = root.resolve()
    pending = [""]
    while pending:
        folder = pending.pop()
        if folder and not (root / folder).is_dir():
            yield folder
            continue
        for name in sorted(_names(root / folder), reverse=True):
            path = f"{folder}/{name}" if folder else name
            if _is_within(root / path, real_root):
                pending.append(path)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        raise evaluation_error(f"hashFiles cannot read '{folder}': {error.strerror}") from error


def _is_within(path: Path, real_root: Path) -> bool:
    if not path.is_symlink():
        return path.is_dir() or path.is_file()
    return path.is_file() and path.resolve().is_relative_to(real_root)


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise evaluation_error(f"hashFiles cannot read '{path}': {error.strerror}") from error


def _is_chosen(path: str, patterns: Sequence[_Pattern]) -> bool:
    chosen = False
    for pattern in patterns:
        if chosen == pattern.takes_away and pattern.regex.fullmatch(path):
            chosen = not pattern.takes_away
    return chosen


def _compile(text: str, *, root: Path) -> Iterator[_Pattern]:
    for line in text.splitlines():
        glob = line.strip()
        if not glob or glob.startswith("#"):
            continue
        takes_away = (len(glob) - len(glob.lstrip("!"))) % 2 == 1
        glob = _relative(glob.lstrip("!").strip(), root=root)
        yield _Pattern(re.compile(_regex(glob), re.DOTALL), takes_away)


def _relative(glob: str, *, root: Path) -> str:
    base = root.as_posix().rstrip("/")
    if glob == base or glob.startswith(base + "/"):
        glob = glob[len(base) :].lstrip("/") or "**"
    parts = [re.sub(r"\*{3,}", "**", part) for part in glob.split("/") if part != "."]
    parts = [
        part for part, before in zip(parts, ["", *parts], strict=False) if part != "**" or before != "**"
    ]
    return "/".join(parts).rstrip("/") or "**"


def _regex(glob: str) -> str:
    """A regular expression over relative paths; what lies below a match matches too."""
    regex = ""
    parts = glob.split("/")
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            regex += ".*" if is_last else "(?:[^/]+/)*"
        else:
            regex += _part_regex(part) + ("" if is_last else "/")
    return regex + "(?:/.*)?"


def _part_regex(part: str) -> str:
    regex = ""
    offset = 0
    while offset < len(part):
        letter = part[offset]
        closing = part.find("]", offset + 2) if letter == "[" else -1
        if letter == "\\" and offset + 1 < len(part):
            offset += 1
            regex += re.escape(part[offset])
        elif closing > 0:
            regex += _set_regex(part[offset + 1 : closing])
            offset = closing
        else:
            is_repeated = letter == "*" and part[offset - 1 : offset] == "*"
            regex += "" if is_repeated else _WILDCARDS.get(letter, re.escape(letter))
        offset += 1
    return regex


def _set_regex(members: str) -> str:
    is_negated = members[0] in "!^"
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members[1:] if is_negated else members)
    regex = f"[{'^/' if is_negated else ''}{escaped}]"
    try:
        re.compile(regex)
    except re.error:
        return re.escape(f"[{members}]")
    return regex
