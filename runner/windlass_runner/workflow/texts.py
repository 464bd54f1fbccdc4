"""Checks every `${{ … }}` of a file: its syntax, and that each name in it exists where it stands.

Which contexts may be used where follows GitHub's table ("context availability"):
https://docs.github.com/actions/reference/workflows-and-actions/contexts#context-availability
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from windlass_registry.near_words import did_you_mean, nearest
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.nodes import Call
from windlass_runner.expressions.signatures import HOST_FUNCTIONS, STATUS_FUNCTIONS
from windlass_runner.workflow.facts import Facts, Named, facts_of, facts_within, is_set_by_strangers
from windlass_runner.workflow.model import Job
from windlass_runner.workflow.places import OPENING, locate
from windlass_runner.workflow.reading import Place, Text, WorkflowReader

CONTEXTS: Final = frozenset(
    [
        "github",
        "event",
        "inputs",
        "needs",
        "matrix",
        "strategy",
        "env",
        "vars",
        "secrets",
        "steps",
        "job",
        "run",
        "runner",
    ]
)
_EVENT: Final = frozenset(["github", "event", "inputs", "vars", "run"])
_JOB: Final = _EVENT | {"needs", "strategy", "matrix"}
_RUNNING: Final = _JOB | {"env", "secrets", "job", "runner"}

NAMES: Final[Mapping[Place, frozenset[str]]] = {
    Place.RUN_NAME: _EVENT,
    Place.FILE_ENV: _EVENT | {"secrets"},
    Place.CONCURRENCY: _EVENT,
    Place.JOB_IF: _EVENT | {"needs"},
    Place.STRATEGY: _EVENT | {"needs"},
    Place.JOB: _JOB,
    Place.JOB_ENV: _JOB | {"secrets"},
    Place.JOB_WITH: _RUNNING,
    Place.JOB_INPUT: _JOB | {"secrets"},
    Place.JOB_OUTPUT: _RUNNING | {"steps"},
    Place.RETRY: (_RUNNING | {"steps"}) - {"secrets"},
    Place.STEP_IF: CONTEXTS - {"secrets"},
    Place.STEP: CONTEXTS,
}
FUNCTIONS: Final[Mapping[Place, frozenset[str]]] = {
    Place.JOB_IF: STATUS_FUNCTIONS,
    Place.RETRY: STATUS_FUNCTIONS,
    Place.STEP_IF: HOST_FUNCTIONS,
    Place.STEP: frozenset({"hashfiles"}),
    Place.JOB_WITH: frozenset({"hashfiles"}),
    Place.JOB_OUTPUT: frozenset({"hashfiles"}),
}
_FUNCTION_NAMES: Final = frozenset(
    [
        "contains",
        "startsWith",
        "endsWith",
        "format",
        "join",
        "toJSON",
        "fromJSON",
        "case",
        "hashFiles",
        "success",
        "failure",
        "always",
        "cancelled",
    ]
)
_SYMBOL: Final = re.compile(r"Unrecognized function: '([^']*)'")


def check_texts(reader: WorkflowReader, jobs: Mapping[str, Job], lines: list[str]) -> None:
    """Note every problem of the texts that reading came by. `lines` are the file's."""
    for text in reader.noted:
        job = jobs.get(text.job) if text.job is not None else None
        _Check(reader, text, job, jobs, lines).run()


class _Check:
    """The check of one text."""

    __slots__ = ("job", "jobs", "lines", "reader", "text")

    def __init__(
        self, reader: WorkflowReader, text: Text, job: Job | None, jobs: Mapping[str, Job], lines: list[str]
    ) -> None:
        self.reader = reader
        self.text = text
        self.job = job
        self.jobs = jobs
        self.lines = lines

    def run(self) -> None:
        for facts, offset in self._expressions():
            for call in facts.calls:
                self._check_call(call, offset)
            for named in facts.names:
                self._check_name(named, offset + max(named.position - 1, 0))

    def _expressions(self) -> tuple[tuple[Facts, int], ...]:
        """What can be read of all expressions of the text, each with its offset in it."""
        text = self.text.text
        if self.text.is_condition:
            try:
                return ((facts_of(text), 0),)
            except ExpressionError as error:
                self._refuse(error, max(error.position - 1, 0))
                return ()
        while True:
            try:
                return facts_within(text)
            except ExpressionError as error:
                offset = error.offset or 0
                self._refuse(error, offset)
                text = _without_expression(text, offset)

    def _refuse(self, error: ExpressionError, offset: int) -> None:
        symbol = _SYMBOL.match(error.message)
        remedy = did_you_mean(symbol[1], _FUNCTION_NAMES) if symbol else None
        if symbol and nearest(symbol[1], _FUNCTION_NAMES) is None:
            remedy = "the functions are " + ", ".join(sorted(_FUNCTION_NAMES, key=str.lower))
        if "is not closed" in error.message:
            remedy = "close it with }}"
        self._error(offset, " ".join(error.message.split()).rstrip("."), remedy)

    def _error(self, offset: int, message: str, remedy: str | None) -> None:
        self.reader.error(locate(self.text, offset, self.lines), message, remedy)

    def _check_call(self, call: Call, offset: int) -> None:
        name = call.name.lower()
        if name not in HOST_FUNCTIONS or name in FUNCTIONS.get(self.text.place, ()):
            return
        where = "in an 'if'" if name in STATUS_FUNCTIONS else "in a step, 'with' or 'outputs'"
        self._error(
            offset + max(call.position - 1, 0),
            f"the function '{call.name}' cannot be called here ({self.text.place.value})",
            f"call it {where}",
        )

    def _check_name(self, named: Named, offset: int) -> None:
        context, *rest = named.path
        allowed = NAMES[self.text.place]
        if self.text.job is None:  # under 'defaults': no job is known there
            allowed &= NAMES[Place.FILE_ENV]
        if context not in CONTEXTS:
            self._error(
                offset, f"unknown name '{context}' in an expression", _unknown_context(context, allowed)
            )
            return
        if context not in allowed:
            self._error(
                offset,
                f"'{context}' cannot be used here ({self.text.place.value})",
                "known here: " + ", ".join(sorted(allowed)),
            )
            return
        if self.text.is_python and is_set_by_strangers(named.path):
            shown = ".".join(named.path)
            self._error(
                offset,
                f"a stranger can set '{shown}', so it must not be pasted into Python text",
                f"pass it by env: {{VALUE: ${{{{ {shown} }}}}}} and read os.environ['VALUE']",
            )
        if rest and rest[0] != "*":
            self._check_path(context, rest, offset)

    def _check_path(self, context: str, rest: list[str], offset: int) -> None:
        match context:
            case "inputs":
                self._check_known(rest[0], self.reader.inputs, "workflow input", "inputs", offset)
            case "needs":
                self._check_needs(rest, offset)
            case "matrix":
                self._check_matrix(rest[0], offset)
            case "steps":
                self._check_steps(rest, offset)

    def _check_known(self, name: str, known: Collection[str], what: str, where: str, offset: int) -> bool:
        if _has(known, name):
            return True
        remedy = did_you_mean(name, known) if known else f"declare it under '{where}'"
        self._error(offset, f"unknown {what} '{name}'", remedy or f"declare it under '{where}'")
        return False

    def _check_needs(self, rest: list[str], offset: int) -> None:
        name, *below = rest
        wanted = self.job.needs if self.job is not None else ()
        if not _has(wanted, name):
            if _has(self.jobs, name):
                me = self.job.id if self.job is not None else ""
                self._error(offset, f"the job '{me}' does not need '{name}'", f"add '{name}' to its 'needs'")
            else:
                self._error(offset, f"unknown job '{name}'", did_you_mean(name, self.jobs))
            return
        other = self.jobs.get(name)
        if other is None or not below or below[0] == "*":
            return
        if below[0].lower() not in ("result", "outputs"):
            self._error(offset, f"a job has no '{below[0]}'", did_you_mean(below[0], ("result", "outputs")))
        elif below[0].lower() == "outputs" and len(below) > 1 and below[1] != "*":
            self._check_output(other, below[1], offset)

    def _check_output(self, job: Job, name: str, offset: int) -> None:
        known = [output.name for output in job.outputs]
        if not _has(known, name):
            remedy = did_you_mean(name, known) if known else f"declare it under 'outputs' of '{job.id}'"
            self._error(offset, f"the job '{job.id}' declares no output '{name}'", remedy)

    def _check_matrix(self, name: str, offset: int) -> None:
        strategy = self.job.strategy if self.job is not None else None
        if strategy is None or (strategy.matrix is None and not strategy.include):
            self._error(
                offset, f"'matrix.{name}' in a job without a matrix", "add strategy: {matrix: …} to the job"
            )
            return
        if isinstance(strategy.matrix, str) or isinstance(strategy.include, str):
            return
        axes = dict.fromkeys(strategy.matrix or {})
        for row in strategy.include:
            if any("${{" in key for key in row):
                return
            axes.update(dict.fromkeys(row))
        self._check_known(name, list(axes), "axis of the matrix", "strategy.matrix", offset)

    def _check_steps(self, rest: list[str], offset: int) -> None:
        name, *below = rest
        steps = self.job.steps if self.job is not None else ()
        number = self.text.step
        earlier = [step.id for step in (steps if number is None else steps[:number]) if step.id]
        if not _has(earlier, name):
            later = [step.id for step in steps if step.id]
            if _has(later, name):
                self._error(
                    offset,
                    f"the step '{name}' has not run yet here",
                    "use only steps that stand before this one",
                )
            else:
                remedy = did_you_mean(name, earlier) if earlier else f"give the step an id: {name}"
                self._error(offset, f"unknown step id '{name}'", remedy)
            return
        known = ("outputs", "outcome", "conclusion")
        if below and below[0] != "*" and below[0].lower() not in known:
            self._error(offset, f"a step has no '{below[0]}'", did_you_mean(below[0], known))


def _has(known: Collection[str], name: str) -> bool:
    """Whether a name is known; names in expressions ignore case."""
    return name in known or name.lower() in (item.lower() for item in known)


def _unknown_context(name: str, allowed: Collection[str]) -> str:
    if name in ("workflow", "context", "secret"):
        remedies = {
            "workflow": "write inputs.NAME",
            "context": "write github.url or github.ref",
            "secret": "write secrets.NAME",
        }
        return remedies[name]
    close = nearest(name, allowed)
    return f"did you mean '{close}'?" if close else "known here: " + ", ".join(sorted(allowed))


def _without_expression(text: str, offset: int) -> str:
    """The text with the expression around an offset blanked out, so that the others are read too."""
    start = text.rfind(OPENING, 0, offset + len(OPENING))
    start = max(start, 0)
    end = text.find("}}", offset)
    end = len(text) if end < 0 else end + 2
    return text[:start] + "." * (end - start) + text[end:]
