"""What the lexical state of a shell script is made of (see `shell_state`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from windlass_runner.expressions.shell_words import SimpleCommand

FrameKind = Literal[
    "code", "single", "double", "ansi", "comment", "heredoc", "braces", "arithmetic", "delimiter"
]


@dataclass(slots=True)
class Heredoc:
    """A here-document announced by `<<`. Its places count what was read: characters and variables."""

    delimiter: str = ""
    raw: str = ""
    """The delimiter with its quotes."""
    is_quoted: bool = False
    strips_tabs: bool = False
    holds_variable: bool = False
    command: tuple[str, ...] = ()
    """The words before it: what reads the document."""
    word_start: int = 0
    word_end: int = 0
    body_start: int = 0
    body_end: int = 0


@dataclass(slots=True)
class Frame:
    """One level of nesting. `closer` ends it; `depth` counts brackets opened within."""

    kind: FrameKind
    closer: str = ""
    depth: int = 0
    command: SimpleCommand = field(default_factory=SimpleCommand)
    heredoc: Heredoc | None = None
    line: str = ""
