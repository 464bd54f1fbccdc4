"""Shell script text with `${{ … }}` in it, without letting a value become a part of the script.

A value that a stranger could have set (`values.Untrusted`, and every secret) is handed over in the
environment and the script only names its variable, quoted as the place asks for. What the author of
the workflow wrote (literals, inputs, the matrix) is pasted, as GitHub does.

Where even a named variable would be read as code (`eval`, `bash -c`, arithmetic, …) the text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Never

from windlass_runner.expressions.errors import ExpressionError
from windlass_runner.expressions.evaluator import DEFAULT_HOST
from windlass_runner.expressions.host import FunctionHost
from windlass_runner.expressions.shell_state import ShellState
from windlass_runner.expressions.templates import (
    OPENING,
    Template,
    TemplateExpression,
    evaluate_part,
    evaluate_template,
    parse_template,
)
from windlass_runner.expressions.values import Contexts, Untrusted, to_text

PREFIX: Final = "WINDLASS_EXPR_"
LARGEST_VARIABLE_BYTES: Final = 128 * 1024 - 256
"""Linux refuses a longer one (MAX_ARG_STRLEN), the name included."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_SUBSCRIPT: Final = re.compile(r"[A-Za-z_]\w*\[[^\]]*")
_SHELL: Final = re.compile(r"(ba|da|z|k|a)?sh|su")
_INTERPRETER: Final = re.compile(r"python[\d.]*|perl|ruby|node|php")
_SHELL_CODE: Final = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*")
_OTHER_CODE: Final = re.compile(r"-[a-zA-Z]*[cer]|--eval")
_WRAPPERS: Final = frozenset({"builtin", "command", "exec", "sudo", "env", "nohup", "time"})
_EVALUATORS: Final = frozenset({"eval", "trap", "let", "alias", "ssh", "source", ".", "watch", "parallel"})
_NAMERS: Final = frozenset(
    {"declare", "typeset", "local", "export", "readonly", "unset", "read", "mapfile", "readarray"}
)


def bind_shell(
    text: Template | str,
    contexts: Contexts,
    *,
    host: FunctionHost = DEFAULT_HOST,
    prefix: str = PREFIX,
) -> tuple[str, dict[str, str]]:
    """The script with every expression filled in, and the variables that it needs.

    Raises:
        ExpressionError: an expression has no value, or a stranger's value stands where the shell
            would run it or cannot take a variable; `offset` is the place in the text.
    """
    if isinstance(text, str):
        if OPENING not in text:
            return text, {}
        text = parse_template(text, names=contexts)
    values = [
        part if isinstance(part, str) else to_text(evaluate_part(part, contexts, host=host))
        for part in text.parts
    ]
    if not any(isinstance(value, Untrusted) for value in values):
        return "".join(values), {}
    binding = _Binding(prefix=prefix)
    for part, value in zip(text.parts, values, strict=True):
        if isinstance(part, TemplateExpression) and isinstance(value, Untrusted):
            binding.name(value, part)
        else:
            binding.paste(value)
    return binding.finished(), binding.env


def bind_arguments(
    arguments: Sequence[str],
    contexts: Contexts,
    *,
    host: FunctionHost = DEFAULT_HOST,
    prefix: str = PREFIX,
) -> tuple[list[str], dict[str, str]]:
    """A command given as a list, whose items no shell reads, except what follows `sh -c`.

    Raises:
        ExpressionError: as `bind_shell`; also a stranger's value in the code of another interpreter.
    """
    bound: list[str] = []
    env: dict[str, str] = {}
    for argument in arguments:
        if not _is_code(bound):
            bound.append(to_text(evaluate_template(argument, contexts, host=host)))
        elif any(_SHELL.fullmatch(_base(word)) for word in bound):
            script, used = bind_shell(
                argument, contexts, host=host, prefix=f"{prefix}{len(bound)}_" if env else prefix
            )
            bound.append(script)
            env |= used
        else:
            bound.append(trusted_text(argument, contexts, host=host))
    return bound, env


def trusted_text(text: Template | str, contexts: Contexts, *, host: FunctionHost = DEFAULT_HOST) -> str:
    """A text that something else than a shell runs (Python, say), evaluated.

    Raises:
        ExpressionError: a stranger's value would become a part of it.
    """
    value = to_text(evaluate_template(text, contexts, host=host))
    if isinstance(value, Untrusted):
        template = parse_template(text) if isinstance(text, str) else text
        _refuse("in code that is not a shell script", template.expressions[0])
    return value


@dataclass(slots=True, kw_only=True)
class _Binding:
    """The script so far, one item for each character or variable, in step with the shell's state."""

    prefix: str
    items: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    state: ShellState = field(default_factory=ShellState)
    variables: dict[str, str] = field(default_factory=dict)
    latest: TemplateExpression | None = None

    def paste(self, text: str) -> None:
        """Take trusted text as it is."""
        for character in text:
            self.items.append(character)
            self.state.feed(character)
            self._check_number_test()

    def name(self, value: str, part: TemplateExpression) -> None:
        """Write the variable that holds the value, in the way of this place."""
        self.latest = part
        kind = self.state.frame.kind
        if kind == "comment":
            return
        if objection := _objection(self.state):
            _refuse(objection, part)
        variable = f"${{{self._variable(value, part)}}}"
        match kind:
            case "single":
                self.items.append(f"'\"{variable}\"'")
            case "ansi":
                self.items.append(f"'\"{variable}\"$'")
            case "double" | "heredoc":
                self.items.append(variable)
            case _:
                self.items.append(f'"{variable}"')
        self.state.note_variable()
        self._check_number_test()

    def finished(self) -> str:
        """The whole script; here-documents with a quoted delimiter are rewritten to hold variables."""
        self.state.finish()
        for heredoc in self.state.heredocs:
            if not (heredoc.is_quoted and heredoc.holds_variable):
                continue
            if not re.fullmatch(r"\w+", heredoc.delimiter) and self.latest:
                _refuse("in a here-document with an unusual delimiter", self.latest)
            word = "".join(self.items[heredoc.word_start : heredoc.word_end])
            self.items[heredoc.word_start] = word.removesuffix(heredoc.raw) + heredoc.delimiter
            for place in range(heredoc.word_start + 1, heredoc.word_end):
                self.items[place] = ""
            for place in range(heredoc.body_start, heredoc.body_end):
                if self.items[place] in ("\\", "$", "`"):
                    self.items[place] = "\\" + self.items[place]
        return "".join(self.items)

    def _variable(self, value: str, part: TemplateExpression) -> str:
        plain = value.encode("utf-8", "replace").decode("utf-8")
        if "\0" in plain:
            _refuse("and holds a NUL character, which no variable can", part)
        if len(plain.encode("utf-8")) > LARGEST_VARIABLE_BYTES:
            _refuse("and is too long for an environment variable", part)
        if plain not in self.variables:
            self.variables[plain] = f"{self.prefix}{len(self.variables) + 1}"
            self.env[self.variables[plain]] = plain
        return self.variables[plain]

    def _check_number_test(self) -> None:
        if self.state.compares_numbers and self.latest:
            _refuse("in a comparison of numbers within [[ ]], which bash evaluates", self.latest)


def _objection(state: ShellState) -> str | None:
    """Why a variable must not stand here; None where it may."""
    if state.is_escaped or state.last == "$":
        return "right behind a backslash or a dollar sign"
    if state.is_within("arithmetic", "braces"):
        return "within arithmetic or ${ }, where the shell may evaluate it"
    if state.is_within("delimiter"):
        return "in the delimiter of a here-document"
    for heredoc in state.open_heredocs():
        if _runs_its_input(heredoc.command):
            return "in a here-document that is run as code"
    for words in state.commands():
        if objection := _command_objection(words):
            return objection
    return None


def _command_objection(words: Sequence[str]) -> str | None:
    *before, current = words
    while before and (before[0] in _WRAPPERS or _ASSIGNMENT.match(before[0])):
        before = before[1:]
    if not before:
        return "as the subscript of an array" if _SUBSCRIPT.fullmatch(current) else None
    command = _base(before[0])
    if command in _EVALUATORS:
        return f"in an argument of '{command}', which runs it as code"
    if _is_code(before):
        return f"in code for '{command}'"
    if before[-1] == "-v" or (command in _NAMERS and "=" not in current):
        return "as the name of a variable"
    return None


def _runs_its_input(words: Sequence[str]) -> bool:
    return any(
        _SHELL.fullmatch(name) or _INTERPRETER.fullmatch(name) or name in _EVALUATORS
        for name in (_base(word) for word in words)
    )


def _is_code(words: Sequence[str]) -> bool:
    """Whether the next word is a program text for one of the words before it (`sh -c`, `python -c`)."""
    if len(words) < 2:
        return False
    flag = words[-1]
    names = [_base(word) for word in words[:-1]]
    if _SHELL_CODE.fullmatch(flag) and any(_SHELL.fullmatch(name) for name in names):
        return True
    return bool(_OTHER_CODE.fullmatch(flag)) and any(_INTERPRETER.fullmatch(name) for name in names)


def _base(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _refuse(where: str, part: TemplateExpression) -> Never:
    raise ExpressionError(
        f"`${{{{ {part.source} }}}}` holds a value that others can set, {where}; "
        'give it to the step in `env:` and write "$NAME" in the text instead',
        kind="evaluation",
        expression=part.source,
        offset=part.start,
    )
