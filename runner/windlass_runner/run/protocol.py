"""GitHub's workflow commands in a job's output, to the letter. Called by `run.logs`, line by line.

The rules are those of actions/runner (ActionCommand, ActionCommandManager and their extensions):
``::name key=value,key=value::message`` and the older ``##[name key=value;]message``; only registered
names are commands, all else is plain text; ``stop-commands`` until its token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

AnnotationLevel = Literal["error", "warning", "notice"]
LineKind = Literal["", "group", "endgroup", "error", "warning", "notice", "debug", "system", "cut"]

ANNOTATIONS_KEPT: Final = 50
"""Of each level, for one job: as many as GitHub takes in one request."""
MESSAGE_LIMIT: Final = 16 * 1024

_COMMANDS: Final = frozenset(
    {
        *("error", "warning", "notice", "debug", "group", "endgroup", "echo", "stop-commands"),
        *("add-mask", "set-output", "save-state", "set-env", "add-path", "add-matcher", "remove-matcher"),
    }
)
_RESERVED: Final = frozenset({"", "pause-logging"})
_DATA_ESCAPES: Final = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY_ESCAPES: Final = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_OLD_ESCAPES: Final = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A remark of the job on a file (or on nothing in particular). Lines and columns count from 1."""

    level: AnnotationLevel
    message: str
    title: str | None = None
    file: str | None = None
    line: int | None = None
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as it stood in a line. Names are in lower case; values are unescaped."""

    name: str
    properties: Mapping[str, str]
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What one line of output came to. `text` is what to show, None: nothing."""

    text: str | None = None
    kind: LineKind = ""
    annotation: Annotation | None = None
    masks: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    """By ``set-output``."""
    state: Mapping[str, str] = field(default_factory=dict)
    """By ``save-state``."""
    private: Command | None = None
    """A command of the runner's own."""
    has_failed: bool = False
    """The command was refused, and with it the step has failed."""


def parse_command(line: str, known: frozenset[str] = _COMMANDS) -> Command | None:
    """The command that a line is, or None where it is plain text."""
    stripped = line.lstrip()
    if stripped.startswith("::"):
        head, separator, data = stripped[2:].partition("::")
        name, _, properties = head.partition(" ")
        if separator and name.lower() in known:
            pairs = _pairs(properties, ",", _PROPERTY_ESCAPES)
            return Command(name=name.lower(), properties=pairs, data=_unescape(data, _DATA_ESCAPES))
    _before, separator, rest = line.partition("##[")
    head, end, data = rest.partition("]")
    name, _, properties = head.partition(" ")
    if separator and end and name.lower() in known:
        pairs = _pairs(properties, ";", _OLD_ESCAPES)
        return Command(name=name.lower(), properties=pairs, data=_unescape(data, _OLD_ESCAPES))
    return None


def _pairs(text: str, separator: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found = (part.partition("=") for part in text.strip().split(separator))
    return {key.strip().lower(): _unescape(value, escapes) for key, equals, value in found if equals}


def _unescape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    if "%" in text:
        for escaped, plain in escapes:
            text = text.replace(escaped, plain)
    return text


def escape_data(text: str) -> str:
    """The text as it must stand in a command's message."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


class LineProtocol:
    """The state of one stream: what is stopped, whether commands are echoed, how many remarks there were.

    `private` are names of commands that the runner itself puts into the stream (with something that
    nobody can guess in the name); they work even while commands are stopped.
    """

    def __init__(self, *, private: frozenset[str] = frozenset()) -> None:
        self._private = frozenset(name.lower() for name in private)
        self._known = _COMMANDS | self._private
        self._stop_token: str | None = None
        self._is_echoing = False
        self._annotations = {"error": 0, "warning": 0, "notice": 0}

    def feed(self, line: str) -> LineResult:
        """One line, without its end."""
        if "::" not in line and "##[" not in line:
            return LineResult(text=line)
        command = parse_command(line, self._known)
        if command is not None and command.name in self._private:
            return LineResult(private=command)
        if self._stop_token is not None:
            if command is not None and command.name == self._stop_token:
                self._known -= {self._stop_token} - _COMMANDS
                self._stop_token = None
            return LineResult(text=line)
        if command is None:
            return LineResult(text=line)
        return self._obey(command, line)

    def _obey(self, command: Command, line: str) -> LineResult:
        match command.name:
            case "error" | "warning" | "notice":
                return self._remark(command.name, command)
            case "group":
                return LineResult(text=command.data, kind="group")
            case "endgroup":
                return LineResult(text="", kind="endgroup")
            case "debug":
                return LineResult(text=command.data, kind="debug")
            case "add-mask":
                return _mask(command)
            case "stop-commands":
                return self._stop(command, line)
            case "echo":
                return self._echo(command, line)
            case "set-output" | "save-state":
                return self._set(command, line)
            case "set-env" | "add-path":
                file = "GITHUB_ENV" if command.name == "set-env" else "GITHUB_PATH"
                return refused(
                    f"The `{command.name}` command is disabled. Write to the file named by {file}."
                )
            case _:  # add-matcher, remove-matcher
                return LineResult(
                    text=f"'{command.name}' does nothing here: problem matchers are not supported",
                    kind="warning",
                )

    def _remark(self, level: AnnotationLevel, command: Command) -> LineResult:
        text = command.data[:MESSAGE_LIMIT]
        self._annotations[level] += 1
        annotation = None
        if self._annotations[level] <= ANNOTATIONS_KEPT:
            annotation = _annotation(level, text, command.properties)
        return LineResult(text=text, kind=level, annotation=annotation)

    def _stop(self, command: Command, line: str) -> LineResult:
        token = command.data.lower()
        if token in _RESERVED or token in self._known:
            return refused(f"Cannot stop commands with the token '{command.data}': choose one of your own.")
        self._stop_token = token
        self._known |= {token}
        masks = (command.data,) if len(token) > 6 else ()
        return LineResult(text=line, masks=masks)

    def _echo(self, command: Command, line: str) -> LineResult:
        word = command.data.strip().lower()
        if word not in ("on", "off"):
            return refused(f"Invalid echo command value '{command.data}': must be 'on' or 'off'.")
        shown = line if self._is_echoing else None
        self._is_echoing = word == "on"
        return LineResult(text=shown)

    def _set(self, command: Command, line: str) -> LineResult:
        name = command.properties.get("name")
        if not name:
            return refused(f"Required field 'name' is missing in ##[{command.name}] command.")
        value = {name: command.data}
        if command.name == "save-state":
            return LineResult(text=line if self._is_echoing else None, state=value)
        advice = "The `set-output` command is deprecated: write to the file named by GITHUB_OUTPUT."
        self._annotations["warning"] += 1
        is_kept = self._annotations["warning"] <= ANNOTATIONS_KEPT
        return LineResult(
            text=line if self._is_echoing else advice,
            kind="" if self._is_echoing else "warning",
            annotation=Annotation(level="warning", message=advice) if is_kept else None,
            outputs=value,
        )


def refused(reason: str) -> LineResult:
    """The result of a command that cannot be obeyed: the step fails for this reason."""
    return LineResult(
        text=reason, kind="error", annotation=Annotation(level="error", message=reason), has_failed=True
    )


def _mask(command: Command) -> LineResult:
    if not command.data.strip():
        return LineResult(
            text="Can't add secret mask for empty string in ##[add-mask] command.", kind="warning"
        )
    return LineResult(masks=(command.data,))


def _annotation(level: AnnotationLevel, message: str, properties: Mapping[str, str]) -> Annotation:
    line, end_line = _whole(properties.get("line")), _whole(properties.get("endline"))
    column, end_column = _whole(properties.get("col")), _whole(properties.get("endcolumn"))
    line = line if line is not None else end_line
    column = column if column is not None else end_column
    if line is None or (end_line is not None and end_line != line):
        column = end_column = None  # columns belong to one line
    if line is not None and end_line is not None and end_line < line:
        line = end_line = None
    if column is not None and end_column is not None and end_column < column:
        column = end_column = None
    return Annotation(
        level=level,
        message=message,
        title=properties.get("title") or None,
        file=properties.get("file") or None,
        line=line,
        end_line=end_line,
        column=column,
        end_column=end_column,
    )


def _whole(text: str | None) -> int | None:
    word = (text or "").strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None
