"""Graphs of jobs (`using: workflow`) put in place: their jobs stand in the plan beside all others.

Whoever runs the plan meets jobs and nothing else. What the jobs of a graph see (`inputs`, `needs`) and what
others see of a graph (`needs.GRAPH.result`, its outputs) is noted with the plan (`GraphCall`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import GraphRuns
from windlass_registry.resolver import Lock
from windlass_runner.expressions import ExpressionError
from windlass_runner.plan.expansion import expand, settled_combinations
from windlass_runner.plan.matrix import MatrixError
from windlass_runner.plan.model import CallOutput, GraphCall, JobSpec, PlannedJob
from windlass_runner.plan.scopes import (
    SEEN,
    Leg,
    Scope,
    leg_of,
    placed_input,
    secrets_read,
    waits,
)
from windlass_runner.plan.specs import PlanOptions, spec_of
from windlass_runner.plan.steps import scalars
from windlass_runner.workflow.calls import DEEPEST
from windlass_runner.workflow.graphs import named_as_locked, parse_graph
from windlass_runner.workflow.model import Job, Strategy, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfolded:
    """All jobs of a workflow, those of its graphs among them."""

    specs: Mapping[str, JobSpec]
    jobs: tuple[PlannedJob, ...]
    calls: Mapping[str, GraphCall]


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
    unfolding.enter(Scope(workflow=workflow, contexts=contexts, priority=workflow.priority))
    return unfolding.result()


class _Unfolding:
    """One pass over all scopes, from the outermost in; then over all jobs, to put in what they need."""

    def __init__(self, lock: Lock, options: PlanOptions) -> None:
        self._lock = lock
        self._options = options
        self._problems: list[Problem] = []
        self._found: list[tuple[Job, Scope]] = []
        self._calls: dict[str, GraphCall] = {}
        self._ends: dict[str, tuple[str, ...]] = {}
        """The last jobs of each graph: those that no other job of it needs."""

    # -- scopes ----------------------------------------------------------------------------------

    def enter(self, scope: Scope) -> None:
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

    def _legs(self, job: Job, scope: Scope) -> list[Leg]:
        """The graphs that a job stands for: one, or one for each combination of its matrix."""
        action = self._lock.actions[job.uses or ""]
        try:
            combinations = self._combinations(job, scope)
            total = len(combinations)
            return [
                leg_of(job, scope, action, matrix, index=index, total=total)
                for index, matrix in enumerate(combinations)
            ]
        except (ExpressionError, MatrixError) as error:
            place = job.strategy.at if isinstance(error, MatrixError) and job.strategy else job.at
            self._problems.append(_problem(scope.workflow, place, f"job '{job.id}': {error}"))
            return []

    def _combinations(self, job: Job, scope: Scope) -> list[dict[str, Any]]:
        strategy = job.strategy
        if strategy is None or (strategy.matrix is None and not strategy.include):
            return [{}]
        try:
            return settled_combinations(strategy, scope.contexts or {}, limit=self._options.max_jobs)
        except (ExpressionError, MatrixError):
            if scope.contexts is not None:
                raise
            return [_unsettled(strategy)]  # there is no event

    def _enter_graph(self, job: Job, leg: Leg, scope: Scope) -> None:
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
        known = {name: scope.contexts[name] for name in SEEN if scope.contexts and name in scope.contexts}
        self.enter(
            Scope(
                workflow=graph.workflow,
                contexts=None if scope.contexts is None else {**known, "inputs": leg.given.known},
                call=leg.call.id,
                title=f"{leg.title} / ",
                given=leg.given,
                files={item.name: found for item in job.inputs if (found := placed_input(item, scope)).job},
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

    def _placed(self, job: Job, scope: Scope) -> JobSpec:
        """The spec of a job where it stands: under its full name, with needs that are jobs."""
        spec = spec_of(scope.workflow, job, self._lock, self._options)
        targets = scope.targets(job.needs)
        if scope.call is None and not any(target in self._calls for target in targets):
            return spec
        placed = replace(
            spec,
            needs=self._jobs_behind(targets or scope.before),
            names={need: scope.legs.get(need, ()) for need in job.needs},
            inputs=tuple(placed_input(item, scope) for item in spec.inputs),
        )
        if scope.call is None:
            return placed
        secrets = secrets_read(spec, scope)
        priority = job.priority if job.priority is not None else scope.priority
        return replace(
            placed,
            id=scope.prefix + job.id,
            name=scope.title + (job.id if waits(spec.name, scope) else spec.name),
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


def _unsettled(strategy: Strategy) -> dict[str, Any]:
    """What stands for the combinations of a matrix that only an event settles: the texts that name them."""
    rows = [strategy.matrix, *([] if isinstance(strategy.include, str) else strategy.include)]
    names = dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row)
    return {name: f"${{{{ matrix.{name} }}}}" for name in names}


def _problem(workflow: Workflow, at: Position, message: str) -> Problem:
    return Problem(path=workflow.path, line=at.line, column=at.column, message=message)
