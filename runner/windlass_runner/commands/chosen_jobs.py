"""Which jobs of a run a command means: by key, by name, or all of a matrix or a graph by the id of that."""

from __future__ import annotations

from collections.abc import Sequence

from windlass_registry.errors import WindlassError
from windlass_registry.near_words import did_you_mean
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord


class UnknownJobName(WindlassError):
    """The run has no job of that name."""

    exit_code = 2


def keys_of(ledger: Ledger, run: RunRecord, names: Sequence[str]) -> frozenset[str] | None:
    """The keys of the jobs that are meant; None: all.

    Raises:
        UnknownJobName
    """
    if not names:
        return None
    jobs = ledger.runs.jobs(run.id)
    found: set[str] = set()
    for name in names:
        several = (f"{name} (", f"{name}/")  # of a matrix, of a graph
        keys = {job.key for job in jobs if name in (job.key, job.name) or job.key.startswith(several)}
        if not keys:
            remedy = did_you_mean(name, [job.key for job in jobs])
            tail = f"; {remedy}" if remedy else ""
            raise UnknownJobName(f"run {run.id} has no job '{name}'{tail}")
        found |= keys
    return frozenset(found)
