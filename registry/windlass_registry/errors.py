"""The errors of Windlass, sorted by who can mend them.

Every error that leaves a room is a :class:`WindlassError`. The branch says whose turn it is:
the author of the YAML (`AuthorError`), the owner of the host (`OperatorError`), or nobody but
time (`UpstreamError`). Fields are attributes, so that callers and tests read data, not text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a text somebody wrote, at one place.

    `line` and `column` count from 1; 0 means that the problem belongs to the whole file.
    `severity` is `error` (nothing runs) or `warning` (shown, runs).
    """

    path: str
    line: int
    column: int
    message: str
    remedy: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}:{self.column}: "
        if self.severity == "warning":
            text += "warning: "
        return _on_one_line(text + self.message + (f"; {self.remedy}" if self.remedy else ""))


def _on_one_line(text: str) -> str:
    """A problem quotes what strangers wrote: no letter of it may steer a terminal or begin a line."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


class WindlassError(Exception):
    """Base of all errors that Windlass raises on purpose. `exit_code` is the command line's."""

    exit_code = 1


class AuthorError(WindlassError):
    """What somebody wrote is wrong; carries every problem found, in the order of the text."""

    exit_code = 2

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class OperatorError(WindlassError):
    """The owner of the host can mend it. `remedy` is the sentence that says how."""

    exit_code = 3

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message + (f"; {remedy}" if remedy else ""))
        self.message = message
        self.remedy = remedy


class UpstreamError(WindlassError):
    """Something outside did not answer; the same call may go through after `retry_after_s` seconds."""

    exit_code = 4

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
