"""Which runs may be removed. Pure; for `daemon.retention` and `windlass doctor`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from windlass_runner.ledger.records import FINAL, RunRecord

_BASES_KEPT = 2
"""A run is compared with a success of another commit, so one of the same commit may stand before it."""


def that_may_go(runs: Iterable[RunRecord], *, before: float, keeps_bases: bool = True) -> Iterator[RunRecord]:
    """Of all runs, given and yielded newest first, those that ended before then and that nobody needs.

    Needed is the newest run of each workflow and ref, what one that stays has run again, and, with
    `keeps_bases`, what the metrics of younger runs are compared with.
    """
    seen: set[tuple[str, str, str | None]] = set()
    bases: defaultdict[tuple[str, str, str | None], set[str]] = defaultdict(set)
    origins: set[str] = set()
    for run in runs:
        course = (run.repository, run.workflow_path, run.ref)
        is_newest = course not in seen
        seen.add(course)
        is_old = run.state in FINAL and ended_at(run) < before
        is_base = False
        if is_old and run.state == "success" and len(bases[course]) < _BASES_KEPT:
            bases[course].add(run.sha)
            is_base = keeps_bases
        if not is_old or is_newest or is_base or run.id in origins:
            if run.rerun_of is not None:
                origins.add(run.rerun_of)
            continue
        yield run


def ended_at(run: RunRecord) -> float:
    """When a run that is final became so."""
    return run.created_at if run.ended_at is None else run.ended_at
