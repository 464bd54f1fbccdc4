"""What every command is given: the process's surroundings as values, and its own arguments."""

from __future__ import annotations

import argparse
import importlib
import os

TYPE_CHECKING = False  # neither typing nor dataclasses: `windlass status` has no time for them
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any, Protocol, TextIO

    class Command(Protocol):
        """What a module of `windlass_runner.commands` gives."""

        EXAMPLE: str
        configure: Callable[[argparse.ArgumentParser], None]
        execute: Callable[[argparse.Namespace, Invocation], int]


class Invocation:
    """Where a command was called. The environment is read in `cli` and handed on from here."""

    __slots__ = ("environment", "err", "out")

    def __init__(self, *, environment: Mapping[str, str], out: TextIO, err: TextIO) -> None:
        self.environment = environment
        self.out = out
        self.err = err

    @property
    def folder(self) -> Path:
        """The working folder."""
        from pathlib import Path

        return Path.cwd()

    def print(self, text: str) -> None:
        """One line (or several) of data."""
        self.out.write(text + "\n")

    def say(self, text: str) -> None:
        """One line of progress, for people."""
        self.err.write(text + "\n")
        self.err.flush()

    def print_json(self, value: Any) -> None:
        """One JSON value on a line of its own."""
        import json

        self.out.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        self.out.flush()

    def has_colour(self, stream: TextIO) -> bool:
        """Colours on terminals only, and not where `NO_COLOR` (https://no-color.org) is set."""
        if self.environment.get("NO_COLOR") or self.environment.get("TERM") == "dumb":
            return False
        return is_terminal(stream)

    def width(self, stream: TextIO) -> int:
        """How many columns to fill: the terminal's, else 100."""
        if not is_terminal(stream):
            return 100
        try:
            return max(40, os.get_terminal_size(stream.fileno()).columns or 80)
        except OSError:
            return 80


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sees the stream as it is written."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def load_command(name: str) -> Command:
    """The module of a command of the table in `cli`."""
    command: Command = importlib.import_module(f"windlass_runner.commands.{name}")
    return command


def parser_of(name: str, command: Command, *, line: str) -> argparse.ArgumentParser:
    """The argument parser of one command."""
    parser = argparse.ArgumentParser(
        prog=f"windlass {name}",
        description=f"{line[0].upper()}{line[1:]}.",
        epilog=f"example:\n{_indented(command.EXAMPLE)}",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    command.configure(parser)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Knows its width without `shutil`, which argparse would import for it."""

    def __init__(self, prog: str) -> None:
        try:
            width = os.get_terminal_size().columns - 2
        except (OSError, ValueError):
            width = 98
        super().__init__(prog, max_help_position=30, width=max(width, 40))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
