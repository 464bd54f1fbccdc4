"""What a job was expected to reach (`expect`), held against its metrics when its program has succeeded.

Judged in `run.conclusion`; the verdicts go into the ledger with the attempt's end, in one transaction, and
are never reckoned anew: everybody who shows them reads them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, Final

from windlass_registry.near_words import nearest
from windlass_runner.expressions.templates import evaluate_template
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import JobSpec
from windlass_runner.run.base_run import figures
from windlass_runner.run.check_evidence import BaseFigures
from windlass_runner.run.ending import Ending
from windlass_runner.run.logs import JobLog
from windlass_runner.run.verdicts import Judged, Verdict, expected, figure_text
from windlass_runner.workflow.conditions import ConditionError, parse_condition

_NAMES_TOLD: Final = 12


def with_expectations(
    ending: Ending,
    spec: JobSpec,
    *,
    path: str,
    contexts: Mapping[str, Any],
    job_key: str,
    base: BaseFigures | None,
) -> Ending:
    """The ending of a job that has succeeded, or its failure where it did not reach what was expected.
    `path`: the workflow's file. A failed job keeps only its artifacts.

    Raises:
        ExpressionError: a condition cannot be evaluated.
    """
    written = {name: to_text(evaluate_template(text, contexts)) for name, text in spec.expect.items()}
    found = figures(ending.metrics)
    try:
        judged = tuple(judge(written, found, base=base, job_key=job_key))
    except ConditionError as error:
        return replace(_failed(ending), reason=f"expect: {error}")
    ending = replace(ending, expectations=tuple(asdict(one) for one in judged))
    broken = [one for one in judged if one.is_broken]
    if not broken:
        return ending
    remarks = [
        {
            "level": "error",
            "title": f"expect: {one.metric}",
            "message": told(one, found),
            "file": path,
            "line": spec.expect_lines.get(one.metric),
        }
        for one in broken
    ]
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    reason = told(broken[0], found) + more
    return replace(_failed(ending), reason=reason, annotations=(*ending.annotations, *remarks))


def judge(
    written: Mapping[str, str], found: Mapping[str, float], *, base: BaseFigures | None, job_key: str
) -> Iterable[Judged]:
    """Each condition with its verdict.

    Raises:
        ConditionError: a text is no condition.
    """
    of_base = base.metrics.get(job_key, {}) if base is not None else {}
    for metric, text in written.items():
        condition = parse_condition(text)
        value = found.get(metric)
        compared = of_base.get(metric) if condition.is_of_base else None
        bound = condition.bound(compared)
        verdict: Verdict
        if value is None:
            verdict = "not reported"
        elif bound is None:
            verdict = "no base"
        else:
            verdict = "holds" if condition.holds(value, bound) else "broken"
        yield Judged(
            metric=metric,
            condition=text,
            verdict=verdict,
            found=value,
            bound=_finite(bound),
            base=compared,
            base_name=f"{base.ref} ({base.sha[:7]})" if base is not None and compared is not None else "",
        )


def told(one: Judged, found: Mapping[str, float]) -> str:
    """It in one line, with the figures. `found`: all metrics that the job reported."""
    match one.verdict:
        case "not reported":
            return f"expected {one.metric} {one.condition}, but it was never reported; {_names(one, found)}"
        case "no base":
            return f"{one.metric} {one.condition}: holds, as there is no base to compare with yet"
        case "broken":
            return f"expected {one.metric} {expected(one)}, found {figure_text(one.found)}"
        case "holds":
            return f"{one.metric} {expected(one)}: holds with {figure_text(one.found)}"


def say_expectations(ending: Ending, log: JobLog) -> None:
    """Each verdict as a line of the job's log; and what could not even be judged."""
    found = figures(ending.metrics)
    for one in (Judged(**kept) for kept in ending.expectations):
        log.system(told(one, found), kind="error" if one.is_broken else "system")
    if ending.state != "success" and not ending.expectations:
        log.system(ending.reason, kind="error")


def _failed(ending: Ending) -> Ending:
    kept = {
        name: output
        for name, output in ending.outputs.items()
        if isinstance(output, Mapping) and output.get("type") == "artifact"
    }
    return replace(ending, state="failure", cause="failure", outputs=kept)


def _finite(bound: Decimal | None) -> float | None:
    """Too large a figure stays a text elsewhere: JSON has no infinity."""
    if bound is None:
        return None
    number = float(bound)
    return number if number - number == 0 else None


def _names(one: Judged, found: Mapping[str, float]) -> str:
    if not found:
        return "the job reported no metrics: write them to the file that WINDLASS_METRICS names"
    if close := nearest(one.metric, list(found)):
        return f"did you mean '{close}'?"
    return f"reported: {_listed(sorted(found))}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return ", ".join(names[:_NAMES_TOLD]) + more
