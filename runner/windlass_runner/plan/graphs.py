"""Graphs of jobs (`using: workflow`) put in place: their jobs stand in the plan beside all others.

Whoever runs the plan meets jobs and nothing else. What the jobs of a graph see (`inputs`, `needs`) and what
others see of a graph (`needs.GRAPH.result`, its outputs) is noted with the plan (`GraphCall`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from windlass_registry.documents import Position, Value
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_registry.resolver import Lock, ResolvedAction
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.plan.expansion import expand, is_late, paths_of, settled_combinations
from windlass_runner.plan.given import Given, is_known, settle
from windlass_runner.plan.matrix import MatrixError, label
from windlass_runner.plan.model import CallOutput, GraphCall, JobSpec, PlannedJob
from windlass_runner.plan.specs import PlanOptions, spec_of
from windlass_runner.plan.steps import pin, scalars, texts_in
from windlass_runner.workflow.calls import DEEPEST
from windlass_runner.workflow.graphs import named_as_locked, parse_graph
from windlass_runner.workflow.lint import FILES
from windlass_runner.workflow.model import Job, JobInput, Workflow
from windlass_runner.workflow.references import InputReference, OutputReference, read_expression_reference

_SEEN: Final = ("github", "event", "vars")
"""What the jobs of a graph see of the run as the workflow's own do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfolded:
    """All jobs of a workflow, those of its graphs among them."""

    specs: Mapping[str, JobSpec]
    jobs: tuple[PlannedJob, ...]
    calls: Mapping[str, GraphCall]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
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
        return f"{self.call}/" if self.call is not None else ""

    def targets(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(target for name in names for target in self.legs.get(name, ()))


def unfold(
    workflow: Workflow, lock: Lock, options: PlanOptions, contexts: Mapping[str, Any] | None
) -> Unfolded:
    """The jobs of a workflow, with the jobs of each graph in its place. `contexts`: what is known before the
    run; without any, only what stands in the text is settled, and no job is expanded.

    Raises:
        AuthorError: a matrix or an expression that fails, graphs that go too deep, too many jobs.
        NoEngineYet
    """
    unfolding = _Unfolding(lock, options)
    unfolding.enter(_Scope(workflow=workflow, contexts=contexts, priority=workflow.priority))
    return unfolding.result()


class _Unfolding:
    """One pass over all scopes, from the outermost in; then over all jobs, to put in what they need."""

    def __init__(self, lock: Lock, options: PlanOptions) -> None:
        self._lock = lock
        self._options = options
        self._problems: list[Problem] = []
        self._found: list[tuple[Job, _Scope]] = []
        self._calls: dict[str, GraphCall] = {}
        self._ends: dict[str, tuple[str, ...]] = {}
        """The last jobs of each graph: those that no other job of it needs."""

    # -- scopes ----------------------------------------------------------------------------------

    def enter(self, scope: _Scope) -> None:
        """Take up all jobs of a scope, and go into those that are graphs."""
        jobs = scope.workflow.jobs
        entered = {job.id: self._legs(job, scope) for job in jobs.values() if self._is_graph(job)}
        legs = {
            name: tuple(leg.call.id for leg in entered[name]) if name in entered else (scope.prefix + name,)
            for name in jobs
        }
        scope = replace(scope, legs=legs)
        if scope.call is not None:
            needed = {need for job in jobs.values() for need in job.needs}
            self._ends[scope.call] = scope.targets([name for name in jobs if name not in needed])
            self._calls[scope.call] = replace(self._calls[scope.call], jobs=legs)
        for job in jobs.values():
            if job.id not in entered:
                self._found.append((job, scope))
            for leg in entered.get(job.id, ()):
                self._enter_graph(job, leg, scope)
            if len(self._found) > self._options.max_jobs:
                message = (
                    f"the workflow has more than {self._options.max_jobs:,} jobs, with those of its graphs"
                )
                raise AuthorError(*self._problems, _problem(scope.workflow, job.at, message))

    def _is_graph(self, job: Job) -> bool:
        return job.uses is not None and isinstance(self._lock.actions[job.uses].manifest.runs, GraphRuns)

    def _legs(self, job: Job, scope: _Scope) -> list[_Leg]:
        """The graphs that a job stands for: one, or one for each combination of its matrix."""
        action = self._lock.actions[job.uses or ""]
        try:
            combinations = self._combinations(job, scope)
            total = len(combinations)
            return [
                _leg(job, scope, action, matrix, index=index, total=total)
                for index, matrix in enumerate(combinations)
            ]
        except (ExpressionError, MatrixError) as error:
            place = job.strategy.at if isinstance(error, MatrixError) and job.strategy else job.at
            self._problems.append(_problem(scope.workflow, place, f"job '{job.id}': {error}"))
            return []

    def _combinations(self, job: Job, scope: _Scope) -> list[dict[str, Any]]:
        strategy = job.strategy
        if strategy is None or (strategy.matrix is None and not strategy.include):
            return [{}]
        try:
            return settled_combinations(strategy, scope.contexts or {}, limit=self._options.max_jobs)
        except (ExpressionError, MatrixError):
            if scope.contexts is not None:
                raise
            return [{}]  # there is no event: an expression of its cannot be settled

    def _enter_graph(self, job: Job, leg: _Leg, scope: _Scope) -> None:
        action = self._lock.actions[job.uses or ""]
        runs = action.manifest.runs
        assert isinstance(runs, GraphRuns)
        if len(scope.above) >= DEEPEST or job.uses in scope.above:
            loop = " → ".join([*scope.above, job.uses or ""])
            message = f"graphs stand within each other too deep, or in a circle: {loop}"
            raise AuthorError(_problem(scope.workflow, job.uses_at or job.at, message))
        graph = named_as_locked(parse_graph(runs), job.uses or "", runs)
        self._calls[leg.call.id] = replace(
            leg.call,
            names={need: scope.legs.get(need, ()) for need in job.needs},
            outputs={
                name: CallOutput(value=output.value, job=output.job, output=output.output)
                for name, output in graph.outputs.items()
            },
        )
        known = {name: scope.contexts[name] for name in _SEEN if scope.contexts and name in scope.contexts}
        self.enter(
            _Scope(
                workflow=graph.workflow,
                contexts=None if scope.contexts is None else {**known, "inputs": leg.given.known},
                call=leg.call.id,
                title=f"{leg.title} / ",
                given=leg.given,
                files={item.name: found for item in job.inputs if (found := _input(item, scope)).job},
                before=scope.targets(job.needs) or scope.before,
                outer=scope.prefix,
                above=(*scope.above, job.uses or ""),
                priority=job.priority if job.priority is not None else scope.priority,
            )
        )

    # -- jobs ------------------------------------------------------------------------------------

    def result(self) -> Unfolded:
        """All of it."""
        specs: dict[str, JobSpec] = {}
        jobs: list[PlannedJob] = []
        for job, scope in self._found:
            try:
                spec = self._placed(job, scope)
                specs[spec.id] = spec
                if scope.contexts is not None:
                    limit = self._options.max_jobs - len(jobs)
                    late = (*scope.given.late, *scope.given.secrets)
                    jobs.extend(expand(spec, scope.contexts, limit=limit, late=late))
            except (ExpressionError, MatrixError) as error:
                place = job.strategy.at if isinstance(error, MatrixError) and job.strategy else job.at
                self._problems.append(_problem(scope.workflow, place, f"job '{job.id}': {error}"))
        if self._problems:
            raise AuthorError(*self._problems)
        return Unfolded(specs=specs, jobs=tuple(jobs), calls=self._calls)

    def _placed(self, job: Job, scope: _Scope) -> JobSpec:
        """The spec of a job where it stands: under its full name, with needs that are jobs."""
        spec = spec_of(scope.workflow, job, self._lock, self._options)
        targets = scope.targets(job.needs)
        if scope.call is None and not any(target in self._calls for target in targets):
            return spec
        placed = replace(
            spec,
            needs=self._jobs_behind(targets or scope.before),
            names={need: scope.legs.get(need, ()) for need in job.needs},
            inputs=tuple(_input(item, scope) for item in spec.inputs),
        )
        if scope.call is None:
            return placed
        placed = _settled_fields(placed, scope)
        secrets = _read_secrets(spec, scope)
        priority = job.priority if job.priority is not None else scope.priority
        return replace(
            placed,
            id=scope.prefix + job.id,
            name=scope.title + (job.id if _is_late(spec.name, scope) else spec.name),
            env=scalars(scope.workflow.env, spec.env),
            call=scope.call,
            given=scope.given.known,
            given_secrets=secrets,
            secrets=tuple(sorted({*secrets.values()})),
            expect_lines={},
            priority=priority or 0,
        )

    def _jobs_behind(self, targets: Sequence[str]) -> tuple[str, ...]:
        """The jobs that have ended when all of these have: of a graph its last ones."""
        found: dict[str, None] = {}
        for target in targets:
            inner = self._jobs_behind(self._ends[target]) if target in self._calls else (target,)
            found.update(dict.fromkeys(inner))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """One graph that a job stands for."""

    call: GraphCall
    given: Given
    title: str


def _leg(
    job: Job, scope: _Scope, action: ResolvedAction, matrix: Mapping[str, Any], *, index: int, total: int
) -> _Leg:
    contexts: dict[str, Any] = {"matrix": matrix, "strategy": {"job-index": index, "job-total": total}}
    if scope.contexts is not None:
        contexts |= scope.contexts
    elif scope.call is not None:
        contexts["inputs"] = scope.given.known
    given = settle(action.manifest, _handed(job, action.manifest), contexts, scope.given)
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
    return _Leg(call=call, given=given, title=scope.title + title)


def _handed(job: Job, manifest: ActionManifest) -> Mapping[str, Value]:
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


def _settled_fields(spec: JobSpec, scope: _Scope) -> JobSpec:
    """The job with what a run settles before it starts, as far as inputs of its graph are part of that.

    Raises:
        MatrixError: such an input is known only in the run.
    """
    if scope.contexts is None:
        return spec
    inputs = [
        replace(item, value=_settled(item.value, f"the input '{item.name}'", scope)) for item in spec.inputs
    ]
    return replace(
        spec,
        timeout_minutes=_settled(spec.timeout_minutes, "'timeout-minutes'", scope),
        continue_on_error=_settled(spec.continue_on_error, "'continue-on-error'", scope),
        inputs=tuple(inputs),
    )


def _is_late(text: str, scope: _Scope) -> bool:
    """Whether a text takes an input of the graph that is known only in the run."""
    late = (*scope.given.late, *scope.given.secrets)
    return "${{" in text and any(is_late(path, late) for path in paths_of(text))


def _settled(written: Any, what: str, scope: _Scope) -> Any:
    texts = [text for text in texts_in(written) if "${{" in text and "inputs" in text]
    if scope.contexts is None or not any(path[0] == "inputs" for text in texts for path in paths_of(text)):
        return written
    if not is_known(written, scope.contexts, scope.given):
        raise MatrixError(f"{what} takes an input of the graph that is known only in the run")
    return evaluate_value(written, scope.contexts)


def _input(item: JobInput, scope: _Scope) -> JobInput:
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
    if isinstance(late, str) and all(path[0] in _SEEN for path in paths_of(late)):
        return replace(item, workflow_input=None, value=late)  # it means the same in the graph
    value = InputReference(name=item.workflow_input).expression
    return replace(item, workflow_input=None, value=value)


def _read_secrets(spec: JobSpec, scope: _Scope) -> dict[str, str]:
    """The inputs of its graph that a job reads and that are secrets."""
    secrets = scope.given.secrets
    if not secrets:
        return {}
    texts = [text for text in (*texts_in(spec), *texts_in(scope.workflow.env)) if "inputs" in text]
    paths = {path for text in texts for path in paths_of(text) if path[0] == "inputs"}
    return {name: secret for name, secret in secrets.items() if any(is_late(path, (name,)) for path in paths)}


def _problem(workflow: Workflow, at: Position, message: str) -> Problem:
    return Problem(path=workflow.path, line=at.line, column=at.column, message=message)
