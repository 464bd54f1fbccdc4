"""A job's matrix to the jobs that it stands for. Called when a plan is made, and by a run for a matrix that
waited for another job's output."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from windlass_runner.expressions.references import ANY, references
from windlass_runner.expressions.templates import evaluate_template, evaluate_value, parse_template
from windlass_runner.plan.matrix import MatrixError, combinations, label
from windlass_runner.plan.model import JobSpec, PlannedJob
from windlass_runner.plan.steps import texts_in
from windlass_runner.workflow.model import Strategy


def paths_of(text: str) -> set[tuple[str, ...]]:
    """What the expressions of a text read."""
    return {path for part in parse_template(text).expressions for path in references(part.node)}


def expand(
    spec: JobSpec, contexts: Mapping[str, Any], *, limit: int, late: Collection[str] = ()
) -> list[PlannedJob]:
    """The jobs that a spec stands for: one for each combination of its matrix.

    A matrix that waits for another job's output, or for an input of its graph that is known as late (`late`),
    gives one deferred job; call this again with `needs` in the contexts once that job has ended.

    Raises:
        ExpressionError, MatrixError
    """
    if limit < 1:
        raise MatrixError("the workflow has more jobs than are run at most")
    if spec.strategy is None or (spec.strategy.matrix is None and not spec.strategy.include):
        name = str(evaluate_template(spec.name, contexts)) if "${{" in spec.name else spec.name
        return [PlannedJob(key=spec.id, job_id=spec.id, name=name)]
    if "needs" not in contexts and _waits(spec.strategy, late):
        name = spec.id if spec.call is None else spec.name.partition("${{")[0].rstrip(" /")
        return [PlannedJob(key=spec.id, job_id=spec.id, name=name, is_deferred=True)]
    found = settled_combinations(spec.strategy, contexts, limit=limit)
    return [_leg(spec, one, index, len(found), contexts) for index, one in enumerate(found)]


def settled_combinations(
    strategy: Strategy, contexts: Mapping[str, Any], *, limit: int
) -> list[dict[str, Any]]:
    """All combinations of a matrix. Raises as `expand` does."""
    return combinations(**_settled(strategy, contexts), limit=limit)


def _waits(strategy: Strategy, late: Collection[str]) -> bool:
    texts = [
        text for text in texts_in([strategy.matrix, strategy.include, strategy.exclude]) if "${{" in text
    ]
    return any(is_late(path, late) for text in texts for path in paths_of(text))


def is_late(path: tuple[str, ...], late: Collection[str]) -> bool:
    """Whether a path leads to what is known when other jobs have ended: their outputs, or such an input."""
    if path[0] == "inputs":
        return bool(late) and (len(path) == 1 or path[1] == ANY or path[1] in late)
    return path[0] == "needs"


def _settled(strategy: Strategy, contexts: Mapping[str, Any]) -> dict[str, Any]:
    """The strategy's axes and rules with every expression replaced by its value."""
    axes = evaluate_value(strategy.matrix if strategy.matrix is not None else {}, contexts)
    if not isinstance(axes, Mapping):
        raise MatrixError("the matrix expression must give an object")
    axes = dict(axes)
    include = axes.pop("include", None) or evaluate_value(_plain(strategy.include), contexts) or []
    exclude = axes.pop("exclude", None) or evaluate_value(_plain(strategy.exclude), contexts) or []
    for name, rules in (("include", include), ("exclude", exclude)):
        if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
            raise MatrixError(f"matrix.{name} must be a list of mappings")
    return {"axes": axes, "include": include, "exclude": exclude}


def _plain(rules: Any) -> Any:
    return rules if isinstance(rules, str) else [dict(rule) for rule in rules]


def _leg(
    spec: JobSpec, one: Mapping[str, Any], index: int, total: int, contexts: Mapping[str, Any]
) -> PlannedJob:
    key = f"{spec.id} ({label(one)})"
    name = key if spec.name == spec.id else spec.name
    if "${{" in name:
        strategy = {"job-index": index, "job-total": total}
        name = str(evaluate_template(name, {**contexts, "matrix": one, "strategy": strategy}))
    elif spec.name != spec.id:
        name = f"{name} ({label(one)})"
    return PlannedJob(key=key, job_id=spec.id, name=name, matrix=dict(one), index=index, total=total)
