"""What libyaml says about broken YAML, in words that tell an author what to do, at the line to mend.

Only `windlass_registry.documents` calls this.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from windlass_registry.errors import Problem


class _Finding(NamedTuple):
    """What is wrong, how to mend it, and where it begins if not at libyaml's own mark."""

    message: str
    remedy: str | None = None
    mark: yaml.Mark | None = None
    column: int | None = None


def yaml_problem(error: yaml.MarkedYAMLError, text: str, *, path: str) -> Problem:
    """The problem that a syntax error is."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(path=path, line=0, column=0, message=error.problem or "not YAML")
    found = _explain(error, mark, text)
    mark = found.mark or mark
    column = mark.column if found.column is None else found.column
    return Problem(
        path=path, line=mark.line + 1, column=column + 1, message=found.message, remedy=found.remedy
    )


def _explain(error: yaml.MarkedYAMLError, mark: yaml.Mark, text: str) -> _Finding:
    what, context = error.problem or "not YAML", error.context or ""
    character = text[mark.index : mark.index + 1]
    if "'\\t'" in what or "tab" in what or ("cannot start any token" in what and character == "\t"):
        return _Finding("a tab where YAML allows only spaces", "indent with spaces")
    if "end of stream" in what and "quoted scalar" in context:
        return _Finding("a quote that is never closed", "close it", error.context_mark)
    if "cannot start any token" in what and character:
        return _Finding(f"a value cannot begin with '{character}'", "put it in quotes")
    if "expected a single document" in context:
        return _Finding("a second document begins here", "keep one workflow in a file")
    if "mapping values are not allowed" in what:
        return _second_colon(text, mark)
    if "could not find expected ':'" in what:
        return _Finding(
            "this line is neither 'key: value' nor a part of the text above it",
            "indent it like the text that it belongs to, or write ':' behind the key",
            error.context_mark,
        )
    if "did not find expected" in what and text[mark.index - 1 : mark.index + 2] == "${{":
        return _Finding(
            "an expression between YAML's own braces or brackets has to be quoted",
            "write it as '${{ … }}', in quotes",
            column=mark.column - 1,
        )
    if "did not find expected" in what and not _line_before(text, mark).strip():
        return _stray_line(error, what, text, mark)
    return _Finding(f"{what} ({context})" if context else what)


def _second_colon(text: str, mark: yaml.Mark) -> _Finding:
    """A key inside a value: wrongly indented where it stands alone on its line, else unquoted."""
    before = _line_before(text, mark)
    key = re.fullmatch(r"\s*(?:- +)*([^\s:#'\"][^:#]*)", before)
    if key is None:
        return _Finding("a second ': ' in one value", "put the value in quotes")
    return _Finding(
        f"'{key[1].strip()}' is indented as if it were a part of the value above it",
        "align it with the keys that it belongs to",
        column=key.start(1),
    )


def _stray_line(error: yaml.MarkedYAMLError, what: str, text: str, mark: yaml.Mark) -> _Finding:
    """A line whose indentation fits nothing above it."""
    if text[mark.index : mark.index + 1] == ":":
        return _Finding("there is no key before this ':'", "write one")
    message = "the indentation of this line fits no line above it"
    if _ends_a_block(text, mark):
        return _Finding(message, "the comment above it ended the text: indent the '#' like the text's lines")
    if "'-' indicator" in what:
        return _Finding(message, "begin it with '- ' like the list above it, or indent it less")
    begun = error.context_mark if "block mapping" in (error.context or "") else None
    where = f" (they begin on line {begun.line + 1})" if begun is not None else ""
    return _Finding(message, f"align it with the keys that it belongs to{where}")


def _ends_a_block(text: str, mark: yaml.Mark) -> bool:
    """Whether the line before is a comment that stands further left: it ended a block of text."""
    above = text[: mark.index - mark.column].rstrip("\r\n").rsplit("\n", 1)[-1]
    if text[: mark.index - mark.column].endswith(("\n\n", "\n\r\n")):
        return False
    return above.lstrip().startswith("#") and len(above) - len(above.lstrip()) < mark.column


def _line_before(text: str, mark: yaml.Mark) -> str:
    """The part of the marked line that stands before the mark."""
    return text[text.rfind("\n", 0, mark.index) + 1 : mark.index]


_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def reader_problem(text: str, *, path: str) -> Problem:
    """The problem that a character is which YAML does not allow."""
    found = _FORBIDDEN.search(text)
    start = found.start() if found else 0
    return Problem(
        path=path,
        line=text.count("\n", 0, start) + 1,
        column=start - text.rfind("\n", 0, start),
        message=f"a control character (U+{ord(text[start]) if found else 0:04X}) that YAML does not allow",
        remedy="is this a binary file?",
    )
