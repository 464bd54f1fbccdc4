"""Which network sandboxes a run asks for: one for each slot that works on it."""

from __future__ import annotations

from windlass_runner.engines.base import Lane
from windlass_runner.plan.model import Plan


def slot_lane(number: int) -> Lane:
    """The lane of a slot, for the jobs that have no network of their own."""
    return Lane(name=f"lane-{number}")


def first_lanes(plan: Plan, *, parallelism: int) -> tuple[Lane, ...]:
    """The lanes of the jobs that begin at once, so that they can be opened before."""
    beginning = sum(
        not spec.needs and not spec.services and spec.approval is None
        for spec in (plan.specs[job.job_id] for job in plan.jobs)
    )
    return tuple(slot_lane(number) for number in range(min(parallelism, beginning)))
