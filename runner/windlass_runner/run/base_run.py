"""The run that another one is compared with: one notion of `base` for checks, pages and `expect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.check_evidence import BaseFigures
from windlass_runner.workflow.events import Event

_LOOKED_AT: Final = 10
_HEADS: Final = "refs/heads/"


def find_base(ledger: Ledger, run: RunRecord, event: Event) -> BaseFigures | None:
    """The metrics of the newest run of the workflow that succeeded on the base branch, for another commit,
    before this run: so the comparison does not change when the branch moves on. What a schedule starts may be
    compared with the same commit, at an earlier time; a run of a working tree (`windlass run`) is with the
    newest one before it that succeeded there."""
    is_local = run.snapshot is not None
    ref = None if is_local else base_ref(run, event)
    earlier = ledger.runs.list(
        repository=run.repository,
        workflow=run.workflow,
        state="success",
        ref=ref,
        before=run.id,
        limit=_LOOKED_AT,
    )
    alike = (one for one in earlier if one.workflow_path == run.workflow_path)
    may_be_same = is_local or event.kind == "schedule"
    base = next((one for one in alike if may_be_same or one.sha != run.sha), None)
    if base is None or (ref is None and not is_local):
        return None
    metrics = {job.key: figures(job.metrics) for job in ledger.runs.jobs(base.id)}
    return BaseFigures(ref=(base.ref or "").removeprefix(_HEADS), sha=base.sha, metrics=metrics)


def base_ref(run: RunRecord, event: Event) -> str | None:
    """A pull request's base; for a push the default branch, where the forge says which that is, else the
    same ref."""
    places = (event.payload.get(key) for key in ("repository", "project"))  # GitLab's word is `project`
    told = (place.get("default_branch") for place in places if isinstance(place, Mapping))
    branch = event.base_ref or next((branch for branch in told if isinstance(branch, str) and branch), None)
    return f"{_HEADS}{branch}" if branch else run.ref


def figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The last value of each metric of a job, as the ledger keeps them."""
    found = {name: kept.get("last") if isinstance(kept, Mapping) else kept for name, kept in metrics.items()}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
