"""What only shows when the whole file, or the actions that it uses, are known. Pure.

`check_workflow` looks at the graph, the matrices and the references between jobs; `check_actions` holds
every `with` against the manifest of the action that it is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from windlass_registry.documents import Position, Value
from windlass_registry.errors import Problem
from windlass_registry.manifest import ActionInput, ActionManifest, ApprovalRuns, DockerRuns, GraphRuns
from windlass_registry.near_words import did_you_mean, nearest
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import parse_template
from windlass_runner.workflow import graph
from windlass_runner.workflow.facts import is_set_by_strangers, named_values
from windlass_runner.workflow.model import Job, Strategy, Workflow
from windlass_runner.workflow.parse_jobs import JOB_KEYS, ReadJob
from windlass_runner.workflow.parse_steps import STEP_KEYS, is_python
from windlass_runner.workflow.reading import WorkflowReader

FILES: Final = ("dataset", "model", "volume", "artifact")
"""Types of inputs and outputs that are files."""
MOST_COMBINATIONS: Final = 10_000
"""Jobs that the matrices of one file may make, together."""


def check_graph(reader: WorkflowReader, jobs: Mapping[str, ReadJob]) -> None:
    """Unknown jobs in `needs`, jobs that wait for themselves or each other, outputs that nobody declares."""
    names = frozenset(jobs)
    for name, (job, needs_at) in jobs.items():
        for need, at in needs_at.items():
            if need == name:
                reader.error(at, f"the job '{name}' needs itself", "take it out of 'needs'")
            elif need not in names:
                reader.error(at, f"unknown job '{need}' in what '{name}' needs", did_you_mean(need, names))
        _check_inputs(reader, job, jobs)
    needs = {name: [need for need in job.needs if need != name] for name, (job, _) in jobs.items()}
    for cycle in graph.cycles(needs):
        first = min(cycle, key=lambda name: jobs[name].job.at.line)
        turn = cycle.index(first)
        names_in_order = [*cycle[turn:], *cycle[:turn], first]
        at = jobs[first].needs_at.get(names_in_order[1], jobs[first].job.at)
        reader.error(
            at,
            "these jobs wait for each other: " + " → ".join(names_in_order),
            "take one of them out of 'needs'",
        )


def _check_inputs(reader: WorkflowReader, job: Job, jobs: Mapping[str, ReadJob]) -> None:
    for item in job.inputs:
        if item.job is None or item.output is None or item.job not in jobs:
            continue
        known = [output.name for output in jobs[item.job].job.outputs]
        if item.output not in known:
            remedy = (
                did_you_mean(item.output, known) if known else f"declare it under 'outputs' of '{item.job}'"
            )
            reader.error(item.at, f"the job '{item.job}' declares no output '{item.output}'", remedy)


def check_matrices(reader: WorkflowReader, jobs: Iterable[Job]) -> None:
    """Refuse a file whose matrices make too many jobs, before any is made."""
    total = 0
    for job in jobs:
        if job.strategy is None:
            continue
        total += combinations(job.strategy)
        if total > MOST_COMBINATIONS:
            reader.error(
                job.strategy.at,
                f"the matrices of this file make {total:,} jobs, more than {MOST_COMBINATIONS:,}",
                "leave out values of some axes",
            )
            return


def combinations(strategy: Strategy) -> int:
    """At most how many jobs a strategy makes, as far as that is known before expressions are evaluated."""
    rows = 0 if isinstance(strategy.include, str) else len(strategy.include)
    if strategy.matrix is None or isinstance(strategy.matrix, str):
        return max(rows, 1)
    sizes = [len(axis) for axis in strategy.matrix.values() if isinstance(axis, list)]
    return math.prod(sizes) + rows if strategy.matrix else rows


class _Use(NamedTuple):
    """One `uses` of a job or step."""

    uses: str
    values: Mapping[str, Value]
    at: Position
    places: Mapping[str, Position]
    beside: frozenset[str]
    """The keys that may stand beside `uses`."""
    handed: frozenset[str] = frozenset()
    """What the job has under `inputs`; a graph of jobs takes its files from there."""


def check_actions(workflow: Workflow, actions: Mapping[str, ActionManifest]) -> list[Problem]:
    """Hold every `with` against its action's manifest; `actions` is by the text of `uses`.

    Uses whose action is not in `actions` are left aside. In the order of the text.
    """
    found: list[Problem] = []
    for use in _uses(workflow):
        if (manifest := actions.get(use.uses)) is not None:
            found.extend(_check_use(workflow.path, use, manifest))
    found.extend(_check_approvals(workflow, actions))
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _check_approvals(workflow: Workflow, actions: Mapping[str, ActionManifest]) -> Iterable[Problem]:
    """An approval is a whole job, and deploys nothing."""
    approvals = {uses for uses, manifest in actions.items() if isinstance(manifest.runs, ApprovalRuns)}
    for job in workflow.jobs.values():
        for step in job.steps:
            if step.uses in approvals:
                remedy = f"write 'uses: {step.uses}' at a job of its own, and let this one need it"
                yield _problem(workflow.path, step.uses_at or step.at, "an approval is no step", remedy)
        if job.uses in approvals and job.environment is not None:
            remedy = "write 'environment' at the job that deploys"
            at = job.uses_at or job.at
            yield _problem(workflow.path, at, "an approval deploys to no environment", remedy)


def _uses(workflow: Workflow) -> Iterable[_Use]:
    for job in workflow.jobs.values():
        if job.uses is not None:
            handed = frozenset(item.name for item in job.inputs)
            yield _Use(job.uses, job.with_, job.uses_at or job.at, job.with_at, JOB_KEYS, handed)
        for step in job.steps:
            if step.uses is not None:
                yield _Use(step.uses, step.with_, step.uses_at or step.at, step.with_at, STEP_KEYS)


def _check_use(path: str, use: _Use, manifest: ActionManifest) -> Iterable[Problem]:
    inputs = {name.lower(): item for name, item in manifest.inputs.items()}
    for item in manifest.inputs.values():
        inputs.update({alias.lower(): item for alias in item.aliases})
    given: dict[str, str] = {}
    for name, value in use.values.items():
        at = use.places.get(name, use.at)
        known = inputs.get(name.lower())
        if known is None:
            if not (name in _DOCKER_INPUTS and isinstance(manifest.runs, DockerRuns)):
                remedy = _unknown_input(name, manifest.inputs, use.beside)
                yield _problem(path, at, f"'{use.uses}' has no input '{name}'", remedy)
            continue
        if known.name in given:
            yield _problem(path, at, f"'{name}' and '{given[known.name]}' are the same input", "keep one")
        given[known.name] = name
        if known.deprecated is not None:
            message = f"the input '{name}' of '{use.uses}' is deprecated"
            yield replace(_problem(path, at, message, known.deprecated or None), severity="warning")
        if (problem := _check_value(known, value)) is not None:
            yield _problem(path, at, problem, known.description or None)
        if _is_python_code(known, use.values):
            yield from _check_code(path, at, name, value)
    handed = use.handed if isinstance(manifest.runs, GraphRuns) else frozenset()
    for item in manifest.inputs.values():
        if item.required and item.default is None and item.name not in {*given, *handed}:
            yield _problem(
                path,
                use.at,
                f"'{use.uses}' needs the input '{item.name}'",
                f"write inputs: {{{item.name}: JOB.outputs.NAME}}"
                if isinstance(manifest.runs, GraphRuns) and item.type in FILES
                else f"write it under 'with': {item.name}: …",
            )


_OF_REGISTRY: Final = frozenset({"containerRegistry", "container-registries", "username", "password"})
_DOCKER_INPUTS: Final = frozenset({"args", "entrypoint"})
"""What GitHub lets every `with` of a docker action set (jobs.<job_id>.steps[*].with.args)."""


def _unknown_input(name: str, known: Mapping[str, ActionInput], beside: frozenset[str]) -> str:
    if name in beside:
        return f"'{name}' stands beside 'uses', not under 'with'"
    if name in _OF_REGISTRY and "image" in known:
        return "for a private image write resources: {container-registries: [NAME]} at the job"
    close = nearest(name, known)
    if close is not None:
        return f"did you mean '{close}'?"
    return "its inputs are " + ", ".join(known) if known else "it takes none"


def _problem(path: str, at: Position, message: str, remedy: str | None) -> Problem:
    return Problem(path=path, line=at.line, column=at.column, message=message, remedy=remedy)


def _check_value(item: ActionInput, value: Value) -> str | None:
    """What is wrong with a value for an input; None where it fits or holds an expression."""
    if isinstance(value, str) and "${{" in value:
        return None
    if value is None:
        return f"'{item.name}' is required" if item.required and item.default is None else None
    wanted = _WANTED.get(item.type or "", "text")
    if item.type != "list" and isinstance(value, (list, dict)):
        return None if item.type is None and isinstance(value, list) else f"'{item.name}' must be {wanted}"
    if item.type == "list":
        return f"'{item.name}' must be {wanted}" if isinstance(value, dict) else None
    text = str(value).strip().lower()
    if item.type == "boolean" and text not in ("true", "false"):
        return f"'{item.name}' must be {wanted}, not '{value}'"
    if item.type == "number" and not _is_number(value):
        return f"'{item.name}' must be {wanted}, not '{value}'"
    if item.type == "choice" and str(value) not in [str(option) for option in item.options]:
        return f"'{item.name}' must be one of {', '.join(map(str, item.options))}, not '{value}'"
    return None


_WANTED: Final = {
    "number": "a number",
    "boolean": "true or false",
    "list": "text or a list",
    "choice": "one of its options",
}


def _is_number(value: Value) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _is_python_code(item: ActionInput, values: Mapping[str, Value]) -> bool:
    shell = values.get("shell")
    return item.code == "python" or (item.code == "shell" and isinstance(shell, str) and is_python(shell))


def _check_code(path: str, at: Position, name: str, value: Value) -> Iterable[Problem]:
    """Strangers' values in Python text: unlike a shell's, they cannot be handed over by reference."""
    if not isinstance(value, str) or "${{" not in value:
        return
    try:
        expressions = parse_template(value).expressions
    except ExpressionError:
        return  # reported where the text was read
    for part in expressions:
        for named in named_values(part.node):
            if is_set_by_strangers(named.path):
                shown = ".".join(named.path)
                yield _problem(
                    path,
                    at,
                    f"a stranger can set '{shown}', so it may not be pasted into the Python text of '{name}'",
                    f"pass it by env: {{VALUE: ${{{{ {shown} }}}}}} and read os.environ['VALUE']",
                )
