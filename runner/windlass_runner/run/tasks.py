"""What an attempt of a job is given: what its expressions see, its inputs, its lane, its secrets. Called by
`run.active`, under the run's lock."""

from __future__ import annotations

from typing import Any

from windlass_runner.engines.base import Lane
from windlass_runner.expressions.values import untrusted
from windlass_runner.plan.model import PlannedJob
from windlass_runner.run.assembly import Surroundings, Task, named_secrets
from windlass_runner.run.gates import RunGates
from windlass_runner.run.inputs import input_paths
from windlass_runner.run.progress import Progress
from windlass_runner.run.storage import slug


def job_contexts(progress: Progress, job: PlannedJob) -> dict[str, Any]:
    """What expressions of a job see before it runs: one of a graph the inputs of that.

    Raises:
        ExpressionError: in what its graph is given, so that it never comes to run.
    """
    return {
        **progress.contexts_of(job.job_id),
        "needs": _needs(progress, job),
        "matrix": job.matrix,
        "strategy": {"job-index": job.index, "job-total": job.total},
    }


def _needs(progress: Progress, job: PlannedJob) -> dict[str, Any]:
    """The `needs` context; outputs are texts that a job made, and so marked."""
    return {
        name: {"result": need["result"], "outputs": untrusted(need["outputs"])}
        for name, need in progress.needs_context(job.job_id).items()
    }


def make_task(
    around: Surroundings, progress: Progress, gates: RunGates, *, key: str, number: int, lane: Lane
) -> Task:
    """The task of that attempt. A job with services has a network of its own in place of `lane`.

    Raises:
        OperatorError: an input is not there.
        ExpressionError
    """
    job = progress.legs[key].job
    spec = around.plan.specs[job.job_id]
    contexts = job_contexts(progress, job)
    around = gates.with_secrets(around, job, contexts)
    inputs = input_paths(
        spec,
        job,
        contexts={**contexts, "secrets": named_secrets(around, spec)},
        workflow_inputs=around.plan.inputs,
        output_of=progress.output_of,
        folder=around.storage.scratch(around.run.id) / "inputs" / slug(key),
    )
    if spec.services:
        lane = Lane(name=f"job-{slug(key)}-{number}", is_private=True)
    return Task(
        around=around,
        job=job,
        number=number,
        lane=lane,
        needs=contexts["needs"],
        inputs=inputs,
    )
