"""Which container images a job will run in, as far as that is known before it starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from windlass_registry.documents import Scalar
from windlass_registry.manifest_runs import is_dockerfile
from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.templates import evaluate_template, evaluate_value
from windlass_runner.expressions.values import to_text
from windlass_runner.plan.model import CompositeStep, ContainerStep, JobSpec, PlannedStep, RunStep

_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
"""https://github.com/distribution/reference/blob/main/reference.go, without its rarer forms."""


def images_of(spec: JobSpec, contexts: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a job's steps, each once, in order; its services' images are not among them.

    An image that is built stands there as its Dockerfile.
    A text whose value is known only when the job starts stands there as it was written.
    """
    found = [image or image_text(spec.image, contexts) for image in images_of_steps(spec.steps, contexts)]
    return tuple(dict.fromkeys(found))


def named_images(spec: JobSpec, contexts: Mapping[str, Any]) -> tuple[str, ...]:
    """As `images_of`, with the images of its services."""
    services = (image_text(service.image, contexts) for service in spec.services)
    return tuple(dict.fromkeys([*images_of(spec, contexts), *services]))


def is_image_name(text: str) -> bool:
    """Whether it is the name of an image: no expression is left in it, and it is not built from a
    Dockerfile."""
    return _NAME.match(text) is not None


def images_of_steps(steps: Sequence[PlannedStep], contexts: Mapping[str, Any]) -> Iterator[str]:
    """The images of some steps, '' for those that run in their job's."""
    for step in steps:
        seen = _with_env(contexts, step.frame.env)
        if not isinstance(step, RunStep):
            seen = {**seen, "inputs": dict(_known(step.inputs.items(), seen))}
        if isinstance(step, CompositeStep):
            yield from images_of_steps(step.steps, seen)
        elif isinstance(step, ContainerStep) and is_dockerfile(step.image):
            yield f"{step.action.uses}/{step.image.removeprefix('./')}".replace("//", "/")
        else:
            yield image_text(step.image or "", seen).removeprefix("docker://")


def _with_env(contexts: Mapping[str, Any], env: Mapping[str, Scalar]) -> Mapping[str, Any]:
    """What the step sees, where it is known what its job does."""
    if not env or "env" not in contexts:
        return contexts
    return {**contexts, "env": {**contexts["env"], **dict(_known(env.items(), contexts))}}


def _known(inputs: Iterable[tuple[str, Any]], contexts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, written in inputs:
        try:
            yield name, evaluate_value(written, contexts)
        except ExpressionError:
            yield name, written


def image_text(written: str, contexts: Mapping[str, Any]) -> str:
    """What a text that names an image comes to; where that is not known yet, as it was written."""
    try:
        return to_text(evaluate_template(written, contexts))
    except ExpressionError:
        return written
