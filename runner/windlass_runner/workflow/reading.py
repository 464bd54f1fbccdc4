"""Reading workflow files: `Reader` plus what only workflows have.

Texts that may hold `${{ … }}` are noted on the way, with the place where they stand; when the whole file
is read, `workflow.texts` checks all of them against the names that exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeVar

import yaml

from windlass_registry.documents import Scalar, Value, is_null, kind_of, merged_items, scalar
from windlass_registry.near_words import nearest
from windlass_registry.reader import Reader
from windlass_runner.workflow import references
from windlass_runner.workflow.quantities import duration_s

_T = TypeVar("_T")

JOB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
"""Inputs and outputs are files: `/inputs/<name>`."""

_LARGEST_EXACT: Final = 2**53
_MAY_REFER = re.compile(r"[.:]")
_WHOLE_EXPRESSION = re.compile(r"\s*\$\{\{(.*)\}\}\s*\Z", re.DOTALL)


class Place(Enum):
    """Where a text stands; `workflow.texts` says which names each may use."""

    RUN_NAME = "run-name"
    FILE_ENV = "env"
    CONCURRENCY = "concurrency"
    JOB_IF = "if"
    STRATEGY = "strategy"
    JOB = "a job's settings"
    JOB_ENV = "a job's env"
    JOB_WITH = "with"
    JOB_INPUT = "inputs of a job"
    JOB_OUTPUT = "outputs"
    RETRY = "retry"
    STEP_IF = "a step's if"
    STEP = "a step"
    TRIGGER = "on"


class Text(NamedTuple):
    """A text with an expression in it, to be checked when all names are known."""

    node: yaml.ScalarNode
    text: str
    place: Place
    job: str | None
    step: int | None
    is_condition: bool
    """The text is an expression without `${{ }}` around it."""
    is_python: bool
    """The text is a Python program: what strangers set may not be pasted into it."""


class WorkflowReader(Reader):
    """A :class:`Reader` that knows the file's jobs and inputs, and notes texts with expressions."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.noted: list[Text] = []
        self.jobs: frozenset[str] = frozenset()
        self.inputs: frozenset[str] = frozenset()
        self.job: str | None = None
        self.step: int | None = None

    def note(
        self,
        node: yaml.ScalarNode,
        text: str,
        place: Place,
        *,
        is_condition: bool = False,
        is_python: bool = False,
    ) -> None:
        """Keep a text for the check of its expressions, where it may have one."""
        if is_condition or "${{" in text:
            self.noted.append(Text(node, text, place, self.job, self.step, is_condition, is_python))

    def template(self, node: yaml.Node, what: str, place: Place, *, is_python: bool = False) -> str | None:
        """Text that may hold expressions."""
        text = self.text(node, what)
        if text is not None and isinstance(node, yaml.ScalarNode):
            self.note(node, text, place, is_python=is_python)
        return text

    def plain(self, node: yaml.Node, what: str) -> str | None:
        """Text that may not hold expressions, because it is needed before there is anything to put in."""
        text = self.text(node, what)
        if text is not None and "${{" in text:
            self.error(node, f"{what} cannot hold an expression", "write the value itself")
            return None
        return text

    def condition(self, node: yaml.Node, what: str, place: Place) -> str | None:
        """An `if`: an expression, with or without `${{ }}` around it."""
        if isinstance(node, yaml.ScalarNode) and node.tag.startswith("!") and not node.style:
            quoted = f"{node.tag} {node.value}".strip().replace("'", "''")
            self.error(node, f"{what} begins with '!', which YAML takes for a tag", f"quote it: '{quoted}'")
            return None
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            self.error(node, f"{what} must be an expression, not {kind_of(node)}")
            return None
        text = str(node.value)
        whole = _WHOLE_EXPRESSION.match(text)
        if whole is not None and "${{" not in whole[1] and "}}" not in whole[1]:
            self.note(node, text, place)
            return whole[1].strip()
        if "${{" in text:
            self.error(
                node,
                f"{what} has text beside its ${{{{ }}}}, which would make it true always",
                "write the whole condition without ${{ }}",
            )
            return None
        self.note(node, text, place, is_condition=True)
        return text.strip()

    def flag(self, node: yaml.Node, what: str, place: Place) -> bool | str | None:
        """True or false, or an expression that gives it."""
        return self._or_expression(node, what, place, lambda: self.truth(node, what))

    def amount(self, node: yaml.Node, what: str, place: Place) -> float | str | None:
        """A number above 0, or an expression that gives it."""
        return self._or_expression(node, what, place, lambda: self.number(node, what, above=0))

    def count(self, node: yaml.Node, what: str, place: Place, *, least: int = 0) -> int | str | None:
        """A whole number, or an expression that gives it."""
        return self._or_expression(node, what, place, lambda: self.whole(node, what, least=least))

    def integer(self, node: yaml.Node, what: str) -> int | None:
        """A whole number of either sign."""
        return self.measure(node, what, _integer, "a whole number")

    def _or_expression(
        self, node: yaml.Node, what: str, place: Place, otherwise: Callable[[], _T | None]
    ) -> _T | str | None:
        if isinstance(node, yaml.ScalarNode) and _WHOLE_EXPRESSION.match(str(node.value)):
            return self.template(node, what, place)
        return otherwise()

    def duration(self, node: yaml.Node, what: str) -> float | None:
        """A length of time, in seconds."""
        return self.measure(node, what, duration_s, "a length of time such as 30s, 5m or 1h30m")

    def measure(self, node: yaml.Node, what: str, read: Callable[[str], _T | None], wanted: str) -> _T | None:
        """An amount with a unit, by the function that knows the unit."""
        if isinstance(node, yaml.ScalarNode):
            found = read(str(node.value))
            if found is not None:
                return found
            self.error(node, f"{what} must be {wanted}, not '{node.value}'")
        else:
            self.error(node, f"{what} must be {wanted}, not {kind_of(node)}")
        return None

    def value(self, node: yaml.Node, place: Place) -> Value:
        """Any value; numbers that would lose something keep their text (`3.10`, `010`, `1e3`)."""
        if isinstance(node, yaml.ScalarNode):
            found = written(node)
            if isinstance(found, str):
                self.note(node, found, place)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, place) for item in node.value]
        return {str(key.value): self.value(item, place) for key, item in merged_items(node)}

    def variables(self, node: yaml.Node, what: str, place: Place) -> Mapping[str, Scalar]:
        """An `env` mapping; Gradient's bare references have become expressions."""
        found: dict[str, Scalar] = {}
        for name, (key, value) in self.entries(node, what).items():
            if not name or "=" in name or "\0" in name:
                self.error(key, f"'{name}' cannot be the name of an environment variable")
            elif isinstance(value, yaml.ScalarNode):
                found[name] = self.referring(value, place)
            else:
                self.error(value, f"{what}.{name} must be text, not {kind_of(value)}", "write it as one text")
        return found

    def referring(self, node: yaml.ScalarNode, place: Place) -> Scalar:
        """A scalar that may be one of Gradient's bare references; those become expressions."""
        found = written(node)
        if not isinstance(found, str):
            return found
        if "${{" in found or not _MAY_REFER.search(found):
            self.note(node, found, place)
            return found
        text = found.strip()
        reference = references.read_reference(text)
        match reference:
            case None:
                self._check_unbraced(node, text)
            case references.OutputReference(job=job) if job not in self.jobs:
                self._check_far_output(node, text, job)
                return found
            case _:
                self.note(node, reference.expression, place)
                return reference.expression
        self.note(node, found, place)
        return found

    def _check_far_output(self, node: yaml.ScalarNode, text: str, job: str) -> None:
        if close := nearest(job, self.jobs):
            self.error(node, f"'{text}' names an unknown job '{job}'", f"did you mean '{close}'?")

    def _check_unbraced(self, node: yaml.ScalarNode, text: str) -> None:
        """Catch expressions that somebody wrote without `${{ }}`."""
        if text.startswith("secret:"):
            self.error(node, "'secret:' names no secret", "write secret:NAME")
            return
        if text.startswith("context.event.github."):
            self.error(node, f"unknown reference '{text}'", "context.event.github has 'url' and 'ref'")
            return
        context = references.read_bare_context(text)
        if context == "secrets":
            name = text.removeprefix("secrets.")
            remedy = f"write secret:{name} or ${{{{ secrets.{name} }}}}"
            self.error(node, f"'{text}' is taken as text, not as a secret", remedy)
        elif self._names_something(context, text):
            self.warn(node, f"'{text}' is taken as text", f"write ${{{{ {text} }}}} for its value")

    def _names_something(self, context: str | None, text: str) -> bool:
        if context is None:
            return False
        second = text.split(".")[1]
        known: Mapping[str, bool] = {
            "needs": second in self.jobs,
            "inputs": second in self.inputs,
            "github": second in _GITHUB_NAMES,
        }
        return known.get(context, False)


_GITHUB_NAMES: Final = frozenset(
    [
        "actor",
        "base_ref",
        "event_name",
        "head_ref",
        "ref",
        "ref_name",
        "ref_type",
        "repository",
        "repository_owner",
        "run_attempt",
        "run_id",
        "run_number",
        "sha",
        "url",
        "workspace",
    ]
)


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,9}", text) else None


def written(node: yaml.ScalarNode) -> Scalar:
    """A scalar by YAML's rules, but as text where its number, printed, would not be what was written."""
    value = scalar(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    text = str(node.value)
    if isinstance(value, int):
        return value if str(value) == text and abs(value) < _LARGEST_EXACT else text
    return value if repr(value) == text and not value.is_integer() and "e" not in text else text
