"""Commands in the comments of pull requests, such as `/retest` on a line of its own, and answers. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from windlass_runner.forges.base import Command

MOST_COMMANDS: Final = 20
"""As many of one comment are taken; each of them costs requests to the forge."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_COMMAND: Final = re.compile(
    r" {0,3}/(retest|retest-failed|test|cancel|ok-to-test|approve|reject)(?:[ \t]+(\S.*?))?[ \t]*\Z",
    re.IGNORECASE,
)
_SHA: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*\Z)|~{3,})")
_HIDDEN: Final = re.compile(r" {0,3}<!--(?!.*-->)")
_HIDDEN_END: Final = re.compile(r".*-->")


def parse_comment(
    text: str, *, repository: str, number: int, actor: str, said_at: float | None = None
) -> tuple[Command, ...]:
    """What a comment asks for, in its order, each thing once.

    `/retest`, `/retest-failed`, `/test NAME`, `/cancel`, `/ok-to-test SHA`, `/approve NAME` and `/reject
    NAME`, at the start of a line, outside of code, quotes and hidden text. An approval takes a whole commit
    name: a shortened one could be made to mean another commit.
    """
    asked = Command(kind="rerun", repository=repository, number=number, actor=actor, said_at=said_at)
    commands = (_command(line, asked) for line in _plain_lines(text))
    return tuple(dict.fromkeys(command for command in commands if command is not None))[:MOST_COMMANDS]


def reply_body(text: str, key: str) -> str:
    """A comment of ours with a hidden first line, by which `is_reply` knows it again."""
    return f"{_reply_line(key)}\n{text}"


def is_reply(body: object, key: str) -> bool:
    """Whether that is the comment with this key."""
    return isinstance(body, str) and body.startswith(_reply_line(key))


def _reply_line(key: str) -> str:
    return f"<!-- windlass:reply {hashlib.sha256(key.encode()).hexdigest()[:32]} -->"


def _command(line: str, asked: Command) -> Command | None:
    found = _COMMAND.match(line)
    if found is None:
        return None
    match found[1].lower(), found[2]:
        case "retest", None:
            return asked
        case "retest-failed", None:
            return replace(asked, kind="rerun_failed")
        case "cancel", None:
            return replace(asked, kind="cancel")
        case "test", str(name) if name.isprintable():
            return replace(asked, kind="test", workflow=name)
        case "approve", str(name) if name.isprintable():
            return replace(asked, kind="approve_job", job=name)
        case "reject", str(name) if name.isprintable():
            return replace(asked, kind="reject_job", job=name)
        case "ok-to-test", str(sha) if _SHA.match(sha.lower()):
            return replace(asked, kind="approve", sha=sha.lower())
        case _:
            return None


def _plain_lines(text: str) -> Iterator[str]:
    """The lines of a Markdown text outside of fenced code and of hidden text. Lines of quotes and of indented
    code are among them: no command stands at their start."""
    end: re.Pattern[str] | None = None
    for line in _LINE_END.split(text):
        if end is not None:
            end = None if end.match(line) else end
        elif fence := _FENCE.match(line):
            end = re.compile(rf" {{0,3}}{fence[1][0]}{{{len(fence[1])},}}[ \t]*\Z")
        elif _HIDDEN.match(line):
            end = _HIDDEN_END
        else:
            yield line
