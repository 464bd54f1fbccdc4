"""Places in the repository that a job's output speaks of: tracebacks, compilers, linters, pytest.

Pure. Called by `run.check_annotations` with the last lines of a job that failed; what GitHub calls
problem matchers. A path counts only inside the workspace: what was installed beside it is nobody's commit.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, Protocol

from windlass_runner.forges.base import CheckAnnotation
from windlass_runner.run.scratch import WORKSPACE

PROBLEMS_KEPT: Final = 20
_LINE_LIMIT: Final = 1000
"""Longer lines are cut before they are looked at: no tool writes a place behind that."""
_MESSAGE_LIMIT: Final = 500
_INSTALLED: Final = frozenset({"site-packages", "dist-packages", "node_modules", ".venv", ".git"})
_STEERING: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_RANK: Final = re.compile(r"\[rank\d+\]: ?")
"""What torchrun puts before the lines of each process."""

_PATH: Final = r"""(?P<path>[^\s:()'"./]*[./][^\s:()'"]*)"""
"""Without a dot or a slash it is a time of day, or a host."""
_LEVEL: Final = r"(?:fatal )?(?P<level>error|warning)"
_ONE_LINERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # gcc, clang, mypy: a.c:3:5: error: …
        rf"{_PATH}:(?P<line>\d+):(?:(?P<column>\d+):)? {_LEVEL}: (?P<message>.+)",
        # tsc: a.ts(3,5): error TS2322: …, and with --pretty a.ts:3:5 - error TS2322: …
        rf"{_PATH}\((?P<line>\d+),(?P<column>\d+)\): {_LEVEL} (?P<message>.+)",
        rf"{_PATH}:(?P<line>\d+):(?P<column>\d+) - {_LEVEL} (?P<message>.+)",
        # eslint -f unix: a.js:3:5: … [Error/rule]
        rf"{_PATH}:(?P<line>\d+):(?P<column>\d+): (?P<message>.+ \[(?P<level>Error|Warning)\b.*\])$",
        # ruff --output-format concise, flake8: a.py:3:5: F401 …
        rf"{_PATH}:(?P<line>\d+):(?P<column>\d+): (?P<message>(?:[A-Z]+\d{{3,4}}|invalid-syntax):? .+)",
        # go build, go vet: ./main.go:3:5: …
        r"(?:vet: )?(?P<path>[^\s:()'\"]+\.go):(?P<line>\d+):(?:(?P<column>\d+):)? (?P<message>.+)",
    )
)
_HEADING: Final = re.compile(r"(?P<level>error|warning)(?:\[\w+\])?: .+|[A-Z]+\d{3,4} .+|invalid-syntax: .+")
_ARROW: Final = re.compile(r"\s*--> " + _PATH + r":(?P<line>\d+):(?P<column>\d+)$")
_FRAME: Final = re.compile(r'(?P<indent>[ |]*)File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in .*)?$')
_TEST: Final = re.compile(r"_+ (?!_ )(?:ERROR (?:collecting|at \w+ of) )?(?P<test>.+) _+$")
_TEST_PLACE: Final = re.compile(_PATH + r":(?P<line>\d+): (?:in )?\w+$")
_TEST_RESULT: Final = re.compile(r"(?:FAILED|ERROR) (?P<path>[^\s:]+\.py)(?:::(?P<test>.*))?$")


def find_problems(lines: Iterable[str], *, limit: int = PROBLEMS_KEPT) -> tuple[CheckAnnotation, ...]:
    """What the lines of a log say about lines of files, each once: failures first, at most `limit`."""
    found: dict[tuple[str, int, str], CheckAnnotation] = {}
    matchers: tuple[_Matcher, ...] = (_OneLiners(), _Arrows(), _Tracebacks(), _Pytest())
    for raw in lines:
        line = _RANK.sub("", _STEERING.sub("", raw[:_LINE_LIMIT]), count=1).rstrip()
        for matcher in matchers:
            for problem in matcher.feed(line):
                found.setdefault((problem.path, problem.line, problem.message), problem)
    return tuple(sorted(found.values(), key=lambda problem: problem.level != "failure")[:limit])


def repository_path(path: str) -> str | None:
    """The path as the repository has it; None where it lies outside, or is of something installed.

    A relative path is taken from the workspace, where jobs begin.
    """
    whole = posixpath.normpath(posixpath.join(WORKSPACE, path))
    inside = whole.removeprefix(WORKSPACE + "/")
    if path.startswith("<") or inside == whole or not _INSTALLED.isdisjoint(inside.split("/")):
        return None
    return inside


class _Matcher(Protocol):
    def feed(self, line: str) -> Iterator[CheckAnnotation]:
        """The next line of the log, without colours; what it completes."""
        ...


class _OneLiners:
    """Everything about a problem in one line."""

    def feed(self, line: str) -> Iterator[CheckAnnotation]:
        match = next((match for one in _ONE_LINERS if (match := one.match(line))), None)
        if match is not None:
            said = match.groupdict()
            is_warning = (said.get("level") or "").lower() == "warning"
            yield from _problem(
                said["path"],
                said["line"],
                said["message"],
                column=said["column"],
                level="warning" if is_warning else "failure",
            )


class _Arrows:
    """rustc, and ruff since it writes like rustc: what is wrong, and below it `--> file:line:column`."""

    def __init__(self) -> None:
        self._heading: re.Match[str] | None = None

    def feed(self, line: str) -> Iterator[CheckAnnotation]:
        arrow = _ARROW.match(line)
        if arrow is None:
            self._heading = _HEADING.match(line) or self._heading
            return
        heading, self._heading = self._heading, None
        if heading is not None:
            is_warning = heading["level"] == "warning"
            yield from _problem(
                arrow["path"],
                arrow["line"],
                heading[0],
                column=arrow["column"],
                level="warning" if is_warning else "failure",
            )


class _Tracebacks:
    """Python's: frames, outermost first, and less indented than them the exception. The innermost frame
    that lies in the repository is the place."""

    def __init__(self) -> None:
        self._indent = 0
        """Of the latest frame; 0: no traceback is open."""
        self._place: tuple[str, str] | None = None

    def feed(self, line: str) -> Iterator[CheckAnnotation]:
        if frame := _FRAME.match(line):
            self._indent = len(frame["indent"])
            if repository_path(frame["path"]) is not None:
                self._place = (frame["path"], frame["line"])
            return
        text = line.lstrip(" |")
        if not self._indent or not text or len(line) - len(text) >= self._indent:
            return
        place, self._place, self._indent = self._place, None, 0
        if place is not None and not text.startswith("Traceback (most"):
            yield from _problem(*place, text, title=text.partition(":")[0])


class _Pytest:
    """The short summary at the end, with the lines from the report of each test before it."""

    def __init__(self) -> None:
        self._test = ""
        self._lines: dict[tuple[str, str], str] = {}

    def feed(self, line: str) -> Iterator[CheckAnnotation]:
        if match := _TEST.match(line):
            self._test = match["test"]
        elif match := _TEST_PLACE.match(line):
            self._lines[self._test, match["path"]] = match["line"]
        elif match := _TEST_RESULT.match(_without_reason(line)):
            path, test = match["path"], match["test"] or ""
            reason = line[match.end() :].removeprefix(" - ")
            number = self._lines.get((test.replace("::", "."), path), "1")
            title = f"{test} failed" if test else "cannot be collected"
            yield from _problem(path, number, reason or title, title=title)


def _without_reason(line: str) -> str:
    return line.partition(" - ")[0]


def _problem(
    path: str,
    line: str,
    message: str,
    *,
    title: str = "",
    column: str | None = None,
    level: Literal["warning", "failure"] = "failure",
) -> Iterator[CheckAnnotation]:
    inside, number = repository_path(path), _whole(line)
    if inside is not None and number:
        yield CheckAnnotation(
            path=inside,
            line=number,
            end_line=number,
            level=level,
            message=message[:_MESSAGE_LIMIT],
            title=title[:_MESSAGE_LIMIT],
            column=_whole(column or "") or None,
        )


def _whole(digits: str) -> int:
    """0 where it is none that a file could have."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else 0
