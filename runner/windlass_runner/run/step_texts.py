"""The texts of a step with their expressions replaced.

Values that a stranger could have set, and secrets, become environment variables
(`expressions.shell_text`), so that no such value is ever part of a program's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.documents import Scalar, Value
from windlass_runner.expressions import FunctionHost
from windlass_runner.expressions.shell_text import PREFIX, bind_arguments, bind_shell, trusted_text
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text

_BEGINS_SCRIPT: Final = re.compile(r"-[a-z]*c\Z")


@dataclass(slots=True)
class Bound:
    """Texts with their strangers' values taken out, and the variables that hold these."""

    contexts: Mapping[str, Any]
    host: FunctionHost
    env: dict[str, str] = field(default_factory=dict)

    def shell(self, text: str) -> str:
        """A shell script."""
        bound, env = bind_shell(text, self.contexts, host=self.host, prefix=self._prefix())
        self.env.update(env)
        return bound

    def program(self, text: str) -> str:
        """A program in another language: such a value may not stand in it at all."""
        return trusted_text(text, self.contexts, host=self.host)

    def argv(self, words: Sequence[Value]) -> list[str]:
        """A command as a list; what follows `-c` of a shell is shell text, also where the shell is
        named elsewhere and the list begins with `-c`."""
        texts = [word if isinstance(word, str) else word_text(word) for word in words]
        lead = ["sh"] if texts and _BEGINS_SCRIPT.match(texts[0]) else []
        bound, env = bind_arguments([*lead, *texts], self.contexts, host=self.host, prefix=self._prefix())
        self.env.update(env)
        return bound[len(lead) :]

    def _prefix(self) -> str:
        return f"{PREFIX}{len(self.env)}_" if self.env else PREFIX


def word_text(value: Any) -> str:
    """A value as one text: lists and mappings as JSON."""
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return to_text(value)


def evaluate_inputs(
    inputs: Mapping[str, Value], code: Mapping[str, str], contexts: Mapping[str, Any], host: FunctionHost
) -> tuple[dict[str, Any], dict[str, str]]:
    """An action's inputs with their values, and the variables that its program texts use.

    Raises:
        ExpressionError
    """
    bound = Bound(contexts, host)
    values: dict[str, Any] = {}
    for name, written in inputs.items():
        match written, code.get(name):
            case str(), "shell":
                values[name] = bound.shell(written)
            case str(), str():
                values[name] = bound.program(written)
            case list(), _:
                values[name] = bound.argv(written)
            case None, _:
                values[name] = ""
            case _:
                values[name] = evaluate_value(written, contexts, host=host)
    return values, bound.env


def input_variables(values: Mapping[str, Any]) -> dict[str, str]:
    """`INPUT_<NAME>` for each input, as GitHub spells it: upper case, spaces to underscores."""
    return {f"INPUT_{name.upper().replace(' ', '_')}": word_text(value) for name, value in values.items()}


def evaluate_env(
    written: Mapping[str, Scalar], contexts: Mapping[str, Any], host: FunctionHost
) -> dict[str, Any]:
    """An `env` mapping with its values as text (marked where a stranger could have set them)."""
    result: dict[str, Any] = {}
    for name, value in written.items():
        found = evaluate_value(value, contexts, host=host)
        result[name] = found if isinstance(found, str) else word_text(found)
    return result


def image_text(written: str | None, contexts: Mapping[str, Any], host: FunctionHost) -> str:
    """The name of an image; empty where none is written."""
    if not written:
        return ""
    return to_text(evaluate_template(written, contexts, host=host)).removeprefix("docker://")
