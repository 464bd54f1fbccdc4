"""Where each input of a job lies on the host: another job's output, or a text made a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from windlass_registry.errors import OperatorError
from windlass_runner.expressions.templates import evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import JobSpec, PlannedJob
from windlass_runner.workflow.model import JobInput

OutputOf = Callable[[str, str], Mapping[str, Any] | None]


def input_paths(
    spec: JobSpec,
    job: PlannedJob,
    *,
    contexts: Mapping[str, Any],
    workflow_inputs: Mapping[str, Any],
    output_of: OutputOf,
    folder: Path,
) -> dict[str, Path]:
    """Each input's place; those without a value are left out. Texts are written to `folder`.

    Raises:
        OperatorError: an output that the job's condition let it start without.
        ExpressionError
    """
    found: dict[str, Path] = {}
    for item in spec.inputs:
        if item.job is not None:
            found[item.name] = _output(item, job, output_of, folder)
            continue
        value = item.value if item.workflow_input is None else workflow_inputs.get(item.workflow_input)
        if value is not None:
            found[item.name] = _text(folder / item.name, to_text(evaluate_value(value, contexts)))
    return found


def _output(item: JobInput, job: PlannedJob, output_of: OutputOf, folder: Path) -> Path:
    output = output_of(item.job or "", item.output or "")
    if output is None:
        raise OperatorError(
            f"input '{item.name}' of job '{job.key}': job '{item.job}' left no output '{item.output}'",
            remedy=f"job '{item.job}' must succeed first; or leave the input out",
        )
    if "path" not in output:
        return _text(folder / item.name, str(output["text"]))
    return Path(output["path"])


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
