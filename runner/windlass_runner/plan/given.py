"""What a graph of jobs is given for its inputs: known when the plan is made, or as late as in the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from windlass_registry.documents import Value
from windlass_registry.manifest import ActionManifest
from windlass_runner.expressions.templates import evaluate_value
from windlass_runner.expressions.values import mark_of, parse_number
from windlass_runner.plan.expansion import is_late, paths_of
from windlass_runner.plan.model import GraphCall
from windlass_runner.plan.steps import merge_inputs, texts_in
from windlass_runner.workflow.calls import handed_secret

_OF_RUNS: Final = frozenset({"run_id", "run_number", "run_attempt", "job", "workspace", "event_path"})
"""What `github` has that no plan knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The inputs of a graph, each in one of three."""

    known: Mapping[str, Value] = field(default_factory=dict)
    late: Mapping[str, Value] = field(default_factory=dict)
    """As they were written."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Names of secrets."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Of the late ones that are numbers or booleans."""


def settle(
    manifest: ActionManifest, with_: Mapping[str, Value], contexts: Mapping[str, Any], around: Given
) -> Given:
    """What a graph is given. `contexts`: all that is known; `around`: what the graph around it was given.

    Raises:
        ExpressionError
    """
    known: dict[str, Value] = {}
    late: dict[str, Value] = {}
    secrets: dict[str, str] = {}
    types: dict[str, str] = {}
    for name, written in merge_inputs(manifest, with_).items():
        kind = manifest.inputs[name].type if name in manifest.inputs else None
        secret = handed_secret(written, around.secrets)
        if secret is not None:
            secrets[name] = secret
            continue
        value = (
            typed(kind, evaluate_value(written, contexts)) if is_known(written, contexts, around) else None
        )
        if value is not None and mark_of([value]) is str:
            known[name] = value
            continue
        late[name] = written
        if kind in ("number", "boolean"):
            types[name] = kind
    return Given(known=known, late=late, secrets=secrets, types=types)


def inputs_of(call: GraphCall, around: Mapping[str, Any], needs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a graph in a run; those that are secrets are not among them. `around`: what the job that
    it is sees; `needs`: the context of that name.

    Raises:
        ExpressionError
    """
    inputs = dict(call.given)
    if call.late:
        strategy = {"job-index": call.index, "job-total": call.total}
        seen = {**around, "needs": needs, "matrix": call.matrix, "strategy": strategy}
        for name, written in call.late.items():
            inputs[name] = typed(call.types.get(name), evaluate_value(written, seen))
    return inputs


def typed(kind: str | None, value: Any) -> Any:
    """A value as its input's type says; where there is none, false or an empty text. What does not fit
    stays."""
    if value is None:
        return False if kind == "boolean" else ""
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "number" and isinstance(value, str) and value.strip():
        number = parse_number(value)
        return value if math.isnan(number) else number
    return value


def is_known(written: Value, contexts: Mapping[str, Any], around: Given) -> bool:
    """Whether all that a value reads is known before the run."""
    late = {*around.late, *around.secrets}
    paths = {path for text in texts_in(written) if "${{" in text for path in paths_of(text)}
    return all(path[0] in contexts and not is_late(path, late) and not _is_of_run(path) for path in paths)


def _is_of_run(path: tuple[str, ...]) -> bool:
    return path[0] == "github" and (len(path) == 1 or path[1].lower() in _OF_RUNS)
