"""Gradient's bare references (`job.outputs.y`, `workflow.inputs.x`, `secret:NAME` …) as expressions.

They are recognised only where Gradient had them: as the whole value of an entry of `inputs`, `env` or
`with`. What comes out means the same as GitHub's spelling, so that planning knows one language only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_OUTPUT = re.compile(rf"({_NAME})\.outputs\.([A-Za-z0-9_][A-Za-z0-9_.-]*)\Z")
_INPUT = re.compile(r"workflow\.inputs\.([A-Za-z0-9_][A-Za-z0-9_.-]*)\Z")
_NEEDS_EXPRESSION = re.compile(
    rf"\$\{{\{{\s*needs\.({_NAME})\.outputs\.({_NAME})\s*\}}\}}\Z",
)
_INPUT_EXPRESSION = re.compile(rf"\$\{{\{{\s*inputs\.({_NAME})\s*\}}\}}\Z")
_SECRET = "secret:"  # noqa: S105 - the prefix of a reference, not a secret
_EVENT: Final = {
    "context.event.github.url": "github.url",
    "context.event.github.ref": "github.sha",
}
_BARE = re.compile(r"(secrets|needs|inputs|matrix|steps|vars|github|event|run|strategy)\.[A-Za-z0-9_.-]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReference:
    """Another job's output."""

    job: str
    output: str

    @property
    def expression(self) -> str:
        return "${{ needs" + path(self.job, "outputs", self.output) + " }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReference:
    """An input of the workflow."""

    name: str

    @property
    def expression(self) -> str:
        return "${{ inputs" + path(self.name) + " }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A secret, by name."""

    name: str

    @property
    def expression(self) -> str:
        return "${{ secrets" + path(self.name) + " }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReference:
    """Something of the event (`github.url`, `github.sha`)."""

    named: str

    @property
    def expression(self) -> str:
        return "${{ " + self.named + " }}"


Reference = OutputReference | InputReference | SecretReference | EventReference


def path(*names: str) -> str:
    """The part of an expression that goes down by names: `.a.b`, or `['1st']` where a name needs it."""
    return "".join(f".{n}" if _IDENTIFIER.match(n) else "['" + n.replace("'", "''") + "']" for n in names)


def read_reference(text: str) -> Reference | None:
    """The bare reference that a whole value is, if it is one."""
    if text.startswith(_SECRET):
        name = text.removeprefix(_SECRET).strip()
        return SecretReference(name=name) if name else None
    if text in _EVENT:
        return EventReference(named=_EVENT[text])
    if found := _INPUT.match(text):
        return InputReference(name=found[1])
    if found := _OUTPUT.match(text):
        return OutputReference(job=found[1], output=found[2])
    return None


def read_expression_reference(text: str) -> OutputReference | InputReference | None:
    """The same for GitHub's spelling: `${{ needs.job.outputs.y }}` or `${{ inputs.x }}`, and nothing else."""
    if found := _NEEDS_EXPRESSION.match(text):
        return OutputReference(job=found[1], output=found[2])
    if found := _INPUT_EXPRESSION.match(text):
        return InputReference(name=found[1])
    return None


def read_bare_context(text: str) -> str | None:
    """The context (`secrets`, `needs` …) of a value that looks like an expression without its `${{ }}`."""
    found = _BARE.match(text)
    return found[1] if found else None
