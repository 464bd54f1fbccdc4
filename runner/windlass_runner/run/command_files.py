"""The files by which a step hands things on: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH, GITHUB_STEP_SUMMARY.

The format is GitHub's (actions/runner, FileCommandManager): ``name=value`` lines, or
``name<<DELIMITER``, lines, ``DELIMITER``. What is wrong with a file is a value, not an exception: the
step that wrote it fails, and says why. Called by `run` after each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from windlass_runner.data.trees import read_plain

OUTPUT_LIMIT: Final = 1024 * 1024
SUMMARY_LIMIT: Final = 1024 * 1024
_ENVIRONMENT_LIMIT: Final = 1024 * 1024
_FORBIDDEN: Final = frozenset({"NODE_OPTIONS"})
_RESERVED: Final = ("GITHUB_", "RUNNER_", "WINDLASS_")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """Why a file cannot be taken. `line` counts from 1; 0: the whole file."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """Names with values, in the order written (the last one counts), and what is wrong."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[FileProblem, ...] = ()


def load_outputs(path: Path) -> Assignments:
    """Read GITHUB_OUTPUT (or the state file). A missing file sets nothing."""
    found = read_plain(path, limit_bytes=OUTPUT_LIMIT)
    return _unreadable(found.problem) if found.problem else parse_assignments(found.content)


def load_environment(path: Path) -> Assignments:
    """Read GITHUB_ENV. A missing file sets nothing."""
    found = read_plain(path, limit_bytes=_ENVIRONMENT_LIMIT)
    return _unreadable(found.problem) if found.problem else parse_environment(found.content)


def load_paths(path: Path) -> tuple[str, ...]:
    """Read GITHUB_PATH: folders, the last one written is searched first. Unreadable counts as empty."""
    return parse_paths(read_plain(path, limit_bytes=_ENVIRONMENT_LIMIT).content)


def load_summary(path: Path) -> tuple[str, FileProblem | None]:
    """Read GITHUB_STEP_SUMMARY: Markdown, and why it was left out (too large), if it was."""
    found = read_plain(path, limit_bytes=SUMMARY_LIMIT)
    if found.problem:
        return "", FileProblem(line=0, message=f"the summary was left out: {found.problem}")
    return _text(found.content), None


def parse_assignments(content: bytes) -> Assignments:
    """The names and values of a file in GitHub's format. Stops at the first thing it cannot read."""
    values: dict[str, str] = {}
    try:
        for _, name, value in _assignments(_text(content)):
            values[name] = value
    except _Malformed as error:
        return Assignments(values=values, problems=(error.problem,))
    return Assignments(values=values)


def parse_environment(content: bytes) -> Assignments:
    """The same for GITHUB_ENV, where some names may not be set."""
    values: dict[str, str] = {}
    problems: list[FileProblem] = []
    try:
        for line, name, value in _assignments(_text(content)):
            reason = _forbidden(name)
            if reason:
                problems.append(FileProblem(line=line, message=reason))
            else:
                values[name] = value
    except _Malformed as error:
        problems.append(error.problem)
    return Assignments(values=values, problems=tuple(problems))


def parse_paths(content: bytes) -> tuple[str, ...]:
    """The folders of a GITHUB_PATH file in the order in which they are to be searched."""
    lines = [line.removesuffix("\r") for line in _text(content).split("\n")]
    return tuple(line for line in reversed(lines) if line)


class _Malformed(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = FileProblem(line=line, message=message)


def _unreadable(problem: str) -> Assignments:
    return Assignments(problems=(FileProblem(line=0, message=problem),))


def _text(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # PowerShell's older redirection
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def _forbidden(name: str) -> str | None:
    if name.upper() in _FORBIDDEN:
        return f"Can't store {name} output parameter using '$GITHUB_ENV' command."
    if name.upper().startswith(_RESERVED):
        return f"'{name}' is set by the runner and cannot be changed"
    if "\0" in name:
        return "a name cannot hold a zero byte"
    return None


def _assignments(text: str) -> Iterator[tuple[int, str, str]]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at].removesuffix("\r")
        number = at + 1
        at += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            if not name or not delimiter:
                what = "Name must not be empty and delimiter must not be empty"
                raise _Malformed(number, f"Invalid format '{_short(line)}'. {what}")
            value, at = _heredoc(lines, at, delimiter, number)
            yield number, name, value
        elif equals > 0:
            yield number, line[:equals], line[equals + 1 :]
        elif equals == 0:
            raise _Malformed(number, f"Invalid format '{_short(line)}'. Name must not be empty")
        else:
            raise _Malformed(number, f"Invalid format '{_short(line)}'")


def _heredoc(lines: list[str], start: int, delimiter: str, number: int) -> tuple[str, int]:
    has_windows_ends = lines[start - 1].endswith("\r")
    for at in range(start, len(lines)):
        if lines[at].removesuffix("\r") == delimiter:
            held = lines[start:at]
            if has_windows_ends:
                held = [line.removesuffix("\r") for line in held]
            return "\n".join(held), at + 1
    raise _Malformed(number, f"Invalid value. Matching delimiter not found '{_short(delimiter)}'")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
