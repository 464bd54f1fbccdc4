"""Where a job stands, in a graph or not: its full name, and what it sees there. Called by `graphs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from windlass_registry.documents import Value
from windlass_registry.manifest import ActionManifest
from windlass_registry.resolver import ResolvedAction
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.plan.expansion import is_late, paths_of
from windlass_runner.plan.given import Given, settle
from windlass_runner.plan.matrix import label
from windlass_runner.plan.model import GraphCall, JobSpec
from windlass_runner.plan.steps import pin, texts_in
from windlass_runner.workflow.lint import FILES
from windlass_runner.workflow.model import Job, JobInput, Workflow
from windlass_runner.workflow.references import InputReference, OutputReference, read_expression_reference

SEEN: Final = ("github", "event", "vars")
"""What the jobs of a graph see of the run as the workflow's own do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where jobs stand: in the workflow itself, or in a graph that something of it is."""

    workflow: Workflow
    contexts: Mapping[str, Any] | None
    """What is known before the run; None: there is no event to plan for."""
    legs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the names of its jobs stand for: the ids of jobs, or of graphs."""
    call: str | None = None
    title: str = ""
    given: Given = field(default_factory=Given)
    files: Mapping[str, JobInput] = field(default_factory=dict)
    """What the graph was handed under `inputs`, by the name of its input."""
    before: tuple[str, ...] = ()
    """What its first jobs wait for: the ids of jobs and graphs."""
    outer: str | None = None
    """What the full names of the jobs beside the graph begin with."""
    above: tuple[str, ...] = ()
    """The graphs around it, the outermost first."""
    priority: int | None = None

    @property
    def prefix(self) -> str:
        """What the full names of its jobs begin with."""
        return f"{self.call}/" if self.call is not None else ""

    def targets(self, names: Sequence[str]) -> tuple[str, ...]:
        """What some names of its jobs stand for, all together."""
        return tuple(target for name in names for target in self.legs.get(name, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One graph that a job stands for."""

    call: GraphCall
    given: Given
    title: str
    """How it is shown."""


def leg_of(
    job: Job, scope: Scope, action: ResolvedAction, matrix: Mapping[str, Any], *, index: int, total: int
) -> Leg:
    """The graph that a job is, or one of those that its matrix gives.

    Raises:
        ExpressionError: in what it is given, or in its name.
    """
    contexts: dict[str, Any] = {"matrix": matrix, "strategy": {"job-index": index, "job-total": total}}
    if scope.contexts is not None:
        contexts |= scope.contexts
    elif scope.call is not None:
        contexts["inputs"] = scope.given.known
    given = settle(action.manifest, handed_texts(job, action.manifest), contexts, scope.given)
    shown = f" ({label(matrix)})" if matrix else ""
    title = job.name or job.id
    if "${{" in title and scope.contexts is not None:
        title = str(evaluate_template(title, contexts))
    else:
        title += shown
    call = GraphCall(
        id=f"{scope.prefix}{job.id}{shown}",
        job_id=scope.prefix + job.id,
        action=pin(action),
        around=scope.call,
        condition=job.condition,
        given=given.known,
        late=given.late,
        types=given.types,
        matrix=dict(matrix),
        index=index,
        total=total,
        fail_fast=job.strategy.fail_fast if job.strategy is not None else True,
    )
    return Leg(call=call, given=given, title=scope.title + title)


def handed_texts(job: Job, manifest: ActionManifest) -> Mapping[str, Value]:
    """What a job hands to its graph as text: `with`, and of `inputs` what the graph takes for a text."""
    texts: dict[str, Value] = {}
    for item in job.inputs:
        declared = manifest.inputs.get(item.name)
        if declared is None or declared.type in FILES:
            continue
        if item.job is not None:
            texts[item.name] = OutputReference(job=item.job, output=item.output or "").expression
        elif item.workflow_input is not None:
            texts[item.name] = InputReference(name=item.workflow_input).expression
        else:
            texts[item.name] = item.value
    return {**texts, **job.with_}


def waits(text: str, scope: Scope) -> bool:
    """Whether a text takes an input of the graph that is known only in the run."""
    late = (*scope.given.late, *scope.given.secrets)
    return "${{" in text and any(is_late(path, late) for path in paths_of(text))


def placed_input(item: JobInput, scope: Scope) -> JobInput:
    """An input of a job under the full name of where it comes from."""
    if item.job is not None:
        return replace(item, job=scope.prefix + item.job)
    if item.workflow_input is None or scope.call is None:
        return item
    handed = scope.files.get(item.workflow_input)
    if handed is not None:
        return replace(handed, name=item.name)
    late = scope.given.late.get(item.workflow_input)
    taken = read_expression_reference(late) if isinstance(late, str) else None
    if isinstance(taken, OutputReference) and scope.outer is not None:  # a text that another job puts out
        return replace(item, workflow_input=None, job=scope.outer + taken.job, output=taken.output)
    value = InputReference(name=item.workflow_input).expression
    return replace(item, workflow_input=None, value=value)


def secrets_read(spec: JobSpec, scope: Scope) -> dict[str, str]:
    """The inputs of its graph that a job reads and that are secrets."""
    secrets = scope.given.secrets
    if not secrets:
        return {}
    texts = [text for text in (*texts_in(spec), *texts_in(scope.workflow.env)) if "inputs" in text]
    paths = {path for text in texts for path in paths_of(text) if path[0] == "inputs"}
    return {name: secret for name, secret in secrets.items() if any(is_late(path, (name,)) for path in paths)}
