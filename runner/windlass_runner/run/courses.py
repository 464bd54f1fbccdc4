"""How the metrics of a run's jobs went, from the ledger. For checks and their plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One figure. `step`: whatever the job counts in; None: it did not say."""

    value: float
    step: int | None = None


Courses = Mapping[str, Mapping[str, Sequence[Point]]]
"""By job key and name of the metric."""


def read_courses(ledger: Ledger, run_id: str, jobs: Iterable[JobRecord]) -> Courses:
    """The points of the latest attempt of each job, in order, or an even sample of them. One that was taken
    up again after a crash has told all its metrics anew."""
    began = {job.key: job.started_at or 0.0 for job in jobs}
    for event in ledger.events.sample(run_id, "job.resumed"):
        if event.job_key is not None:
            began[event.job_key] = max(event.at, began.get(event.job_key, 0.0))
    courses: dict[str, dict[str, list[Point]]] = {key: defaultdict(list) for key in began}
    for event in ledger.events.sample(run_id, "job.metrics"):
        if event.job_key in courses and event.at >= began[event.job_key]:
            for point in event.data["points"]:
                kept = Point(value=point["value"], step=point.get("step"))
                courses[event.job_key][point["name"]].append(kept)
    return courses
