"""What a workflow, or a graph, may say where it uses a graph of jobs (`using: workflow`). Pure.

A graph stands for a whole job: with needs, a condition, a matrix, what goes in and what comes out. How its
jobs run is said by the jobs themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from windlass_registry.documents import Position
from windlass_registry.errors import Problem
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_registry.near_words import did_you_mean
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.nodes import Call
from windlass_runner.expressions.signatures import HOST_FUNCTIONS
from windlass_runner.workflow.facts import facts_within
from windlass_runner.workflow.graphs import Graph, inspect_graph, named_as_locked
from windlass_runner.workflow.lint import FILES, check_actions
from windlass_runner.workflow.model import Job, Resources, Workflow

DEEPEST: Final = 10
"""How many graphs may stand within each other."""
SECRET: Final = re.compile(r"\$\{\{\s*secrets\.([A-Za-z0-9_]+)\s*\}\}\Z")
INPUT: Final = re.compile(r"\$\{\{\s*inputs\.([A-Za-z0-9_-]+)\s*\}\}\Z")
_AT_JOBS: Final[Mapping[str, Any]] = {
    "image": None,
    "env": {},
    "resources": Resources(),
    "retry": None,
    "timeout_minutes": None,
    "continue_on_error": False,
    "services": (),
    "environment": None,
    "concurrency": None,
    "reuse": None,
    "expect": {},
    "checkout": True,
}
"""Fields of a job that a graph has not, with what they are where nothing is written."""

_INSTEAD: Final = {
    "environment": "deploy in a job of its own that needs this one",
    "concurrency": "write it for the whole workflow",
}

_OF_JOBS: Final = frozenset({"env", "job", "runner", "steps"})

Actions = Mapping[str, ActionManifest]
"""By the text of `uses`; the actions in the own folders of graphs are among them."""


def check_graphs(workflow: Workflow, actions: Actions) -> list[Problem]:
    """All that is wrong with the graphs that a workflow uses, and with how they are used: in its file, and in
    their manifests down to the last."""
    found: list[Problem] = []
    seen: set[str] = set()

    def visit(workflow: Workflow, actions: Actions, above: tuple[str, ...], secrets: frozenset[str]) -> None:
        found.extend(_check_steps(workflow, actions))
        for job in workflow.jobs.values():
            manifest = actions.get(job.uses or "")
            if job.uses is None or manifest is None or not isinstance(manifest.runs, GraphRuns):
                continue
            inspection = inspect_graph(manifest.runs)
            found.extend(_check_call(workflow, job, manifest, inspection.graph, secrets))
            if (problem := _too_deep(workflow, job, above)) is not None:
                found.append(problem)
            elif job.uses not in seen:
                seen.add(job.uses)
                found.extend(inspection.problems)
                if inspection.graph is not None:
                    inner = named_as_locked(inspection.graph, job.uses, manifest.runs).workflow
                    found.extend(check_actions(inner, actions))
                    visit(inner, actions, (*above, job.uses), secret_inputs(manifest))

    visit(workflow, actions, (), frozenset())
    return sorted(dict.fromkeys(found), key=lambda one: (one.path != workflow.path, one.line, one.column))


def secret_inputs(manifest: ActionManifest) -> frozenset[str]:
    """The inputs of an action that may be given a secret (`permissions.secrets`)."""
    listed = manifest.permissions.get("secrets")
    return frozenset(str(name) for name in listed) if isinstance(listed, list) else frozenset()


def handed_secret(value: Any, secrets: Mapping[str, str]) -> str | None:
    """The name of the secret that a value under `with` is. `secrets`: those that the inputs around it are."""
    if isinstance(value, str) and (found := SECRET.match(value)):
        return found[1]
    if isinstance(value, str) and (found := INPUT.match(value)):
        return secrets.get(found[1])
    return None


def _too_deep(workflow: Workflow, job: Job, above: tuple[str, ...]) -> Problem | None:
    at = job.uses_at or job.at
    if job.uses in above:
        loop = " → ".join([*above[above.index(job.uses) :], job.uses])
        return _problem(
            workflow, at, f"graphs use each other in a circle: {loop}", "take one of these jobs out"
        )
    if len(above) >= DEEPEST:
        message = f"more than {DEEPEST} graphs stand within each other: {' → '.join(above)}"
        return _problem(workflow, at, message, "use one of the inner graphs at a job of the workflow itself")
    return None


def _check_steps(workflow: Workflow, actions: Actions) -> Iterator[Problem]:
    graphs = {uses for uses, manifest in actions.items() if isinstance(manifest.runs, GraphRuns)}
    for job in workflow.jobs.values() if graphs else ():
        if job.uses is not None and job.uses not in graphs:
            yield from _check_inside(workflow, job.uses, job.uses_at or job.at, actions, graphs)
        for step in job.steps:
            if step.uses in graphs:
                message = f"'{step.uses}' is a graph of jobs, which stands for a job and is no step"
                remedy = f"write 'uses: {step.uses}' at a job of its own, and let this one need it"
                yield _problem(workflow, step.uses_at or step.at, message, remedy)
            elif step.uses is not None:
                yield from _check_inside(workflow, step.uses, step.uses_at or step.at, actions, graphs)


def _check_inside(
    workflow: Workflow, uses: str, at: Position, actions: Actions, graphs: set[str]
) -> Iterator[Problem]:
    """Graphs among the steps of a composite action, and of those that it uses in turn."""
    waiting, seen = [uses], {uses}
    while waiting:
        around = waiting.pop()
        inner = actions[around].uses() if around in actions else ()
        for each in inner:
            if each in graphs:
                message = f"'{around}' uses '{each}' as a step, which is a graph of jobs and stands for a job"
                yield _problem(workflow, at, message, f"write 'uses: {each}' at a job of its own")
        waiting += [each for each in inner if each not in seen and each not in graphs]
        seen.update(inner)


def _check_call(
    workflow: Workflow, job: Job, manifest: ActionManifest, graph: Graph | None, secrets: frozenset[str]
) -> Iterator[Problem]:
    at = job.uses_at or job.at
    for name, unsaid in _AT_JOBS.items():
        if getattr(job, name) != unsaid:
            key = name.replace("_", "-")
            message = f"the job '{job.id}' is a graph of jobs ('{job.uses}'), and has no '{key}' of its own"
            remedy = _INSTEAD.get(key, f"leave '{key}' out: the jobs of the graph say it")
            yield _problem(workflow, at, message, remedy)
    if job.strategy is not None and job.strategy.max_parallel is not None:
        message = f"the job '{job.id}' is a graph of jobs, and its matrix has no 'max-parallel'"
        yield _problem(workflow, job.strategy.at, message, "leave it out")
    if job.strategy is not None and _reads_needs(job):
        message = f"the matrix of '{job.id}', a graph of jobs, cannot come from another job's output"
        remedy = "hand the output to the graph as an input, and write the matrix at its jobs"
        yield _problem(workflow, job.strategy.at, message, remedy)
    yield from _check_inputs(workflow, job, manifest)
    yield from _check_values(workflow, job)
    yield from _check_secrets(workflow, job, manifest, secrets)
    yield from _check_outputs(workflow, job, manifest, graph)


def _reads_needs(job: Job) -> bool:
    strategy = job.strategy
    assert strategy is not None
    texts = _texts([strategy.matrix, strategy.include, strategy.exclude])
    return any(path[0] == "needs" for text in texts for path in _paths(text))


def _check_inputs(workflow: Workflow, job: Job, manifest: ActionManifest) -> Iterator[Problem]:
    for item in job.inputs:
        if item.name not in manifest.inputs:
            remedy = did_you_mean(item.name, manifest.inputs) or "see its README for what it takes"
            message = f"'{job.uses}' has no input '{item.name}'"
            yield _problem(workflow, item.at, message, remedy)
    for name in job.with_:
        declared = manifest.inputs.get(name)
        if declared is not None and declared.type in FILES:
            message = (
                f"the input '{name}' of '{job.uses}' is of the type {declared.type}: 'with' cannot hand it on"
            )
            remedy = f"write it beside 'with': inputs: {{{name}: JOB.outputs.NAME}}"
            yield _problem(workflow, job.with_at.get(name, job.at), message, remedy)


def _check_values(workflow: Workflow, job: Job) -> Iterator[Problem]:
    """What a graph is given is settled before there is a job that it could be of."""
    for name, value in job.with_.items():
        at = job.with_at.get(name, job.at)
        unknown = {path[0] for text in _texts(value) for path in _paths(text)} & _OF_JOBS
        called = {call.name for text in _texts(value) for call in _calls(text)}
        calls = {name for name in called if name.lower() in HOST_FUNCTIONS}
        for each in sorted(unknown | calls):
            message = f"'{each}' cannot be used in what a graph of jobs is given ('{name}')"
            yield _problem(workflow, at, message, "use it in the jobs of the graph")


def _check_secrets(
    workflow: Workflow, job: Job, manifest: ActionManifest, secrets: frozenset[str]
) -> Iterator[Problem]:
    """A secret goes into a graph whole, and only where its manifest says so."""
    allowed = {name.lower() for name in secret_inputs(manifest)}
    around = dict.fromkeys(secrets, "")
    handed = [(item.name, item.value, item.at) for item in job.inputs]
    handed += [(name, value, job.with_at.get(name, job.at)) for name, value in job.with_.items()]
    for name, value, at in handed:
        if handed_secret(value, around) is not None:
            if name.lower() not in allowed:
                message = f"'{job.uses}' may not be given a secret as '{name}'"
                yield _problem(
                    workflow, at, message, "its action.yml has to list it under permissions.secrets"
                )
        elif any(_is_secret(path, secrets) for text in _texts(value) for path in _paths(text)):
            message = f"a secret is part of the input '{name}', and a graph is handed one only whole"
            yield _problem(workflow, at, message, f"write {name}: secret:NAME")


def _is_secret(path: tuple[str, ...], secrets: frozenset[str]) -> bool:
    if path[0] == "inputs":
        return bool(secrets) and (len(path) == 1 or path[1] == "*" or path[1] in secrets)
    return path[0] == "secrets"


def _check_outputs(
    workflow: Workflow, job: Job, manifest: ActionManifest, graph: Graph | None
) -> Iterator[Problem]:
    for output in job.outputs:
        if output.name not in manifest.outputs:
            known = manifest.outputs
            remedy = did_you_mean(output.name, known) or (
                "its outputs are " + ", ".join(known) if known else "it has none"
            )
            yield _problem(workflow, output.at, f"'{job.uses}' has no output '{output.name}'", remedy)
            continue
        if output.value is not None or output.ref is not None or output.retention_days is not None:
            message = f"the output '{output.name}' comes from the graph '{job.uses}' as it is"
            yield _problem(workflow, output.at, message, "say its type and no more")
            continue
        made = graph.outputs.get(output.name) if graph is not None else None
        if made is not None and made.type != output.type:
            message = f"the output '{output.name}' of '{job.uses}' is of the type {made.type}"
            yield _problem(workflow, output.at, message, f"write {output.name}: {{type: {made.type}}}")


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield from _texts(key)
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)


def _calls(text: str) -> list[Call]:
    try:
        return [call for facts, _ in facts_within(text) for call in facts.calls]
    except ExpressionError:  # told where the text was read
        return []


def _paths(text: str) -> list[tuple[str, ...]]:
    try:
        return [named.path for facts, _ in facts_within(text) for named in facts.names]
    except ExpressionError:  # told where the text was read
        return []


def _problem(workflow: Workflow, at: Position, message: str, remedy: str | None) -> Problem:
    return Problem(path=workflow.path, line=at.line, column=at.column, message=message, remedy=remedy)
