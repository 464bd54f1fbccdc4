"""Which container images a job will run in, as far as that is known before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from windlass_registry.manifest_runs import is_dockerfile
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import CompositeStep, ContainerStep, JobSpec, PlannedStep


def images_of(spec: JobSpec, contexts: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a job's steps, each once, in order; its services' images are not among them.

    An image that is built stands there as its Dockerfile.
    A text whose value is known only when the job starts stands there as it was written.
    """
    found = [image or spec.image for image in _images(spec.steps, contexts)]
    return tuple(dict.fromkeys(found))


def _images(steps: Sequence[PlannedStep], contexts: Mapping[str, Any]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, CompositeStep):
            inner = {**contexts, "inputs": dict(_known(step.inputs.items(), contexts))}
            yield from _images(step.steps, inner)
            continue
        seen = contexts
        if isinstance(step, ContainerStep):
            if is_dockerfile(step.image):
                yield f"{step.action.uses}/{step.image.removeprefix('./')}".replace("//", "/")
                continue
            seen = {**contexts, "inputs": dict(_known(step.inputs.items(), contexts))}
        yield _text(step.image or "", seen).removeprefix("docker://")


def _known(inputs: Iterable[tuple[str, Any]], contexts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, written in inputs:
        try:
            yield name, evaluate_value(written, contexts)
        except ExpressionError:
            yield name, written


def _text(written: str, contexts: Mapping[str, Any]) -> str:
    try:
        return to_text(evaluate_template(written, contexts))
    except ExpressionError:
        return written
