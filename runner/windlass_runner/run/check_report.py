"""How runs stand, as the checks of a commit. Pure: from reports and evidence to `forges.base.Check`.

One check for each workflow, `windlass / <workflow>`; with `each_job` also one for each of its jobs,
`windlass / <workflow> / <job>`. A required check is named by that in the settings of a repository, so
a name never depends on how things stand. Where two would have the same, both say where they come from:
the workflow's file, the job's key. Called by `daemon.status`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from windlass_runner.forges.base import Check, CheckAction, CheckAnnotation
from windlass_runner.run.check_annotations import to_annotations
from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.check_gates import gate_actions, waiting_jobs
from windlass_runner.run.check_markdown import plain
from windlass_runner.run.check_summary import job_summary, run_summary, run_text
from windlass_runner.run.check_title import job_title, run_title
from windlass_runner.run.report import UNFINISHED, JobReport, RunReport

_NAME_LIMIT: Final = 100
_RERUN: Final = CheckAction(
    label="Re-run", description="Run the whole workflow once more", identifier="rerun"
)
_RERUN_FAILED: Final = CheckAction(
    label="Re-run failed", description="Run what failed, and what needs it", identifier="rerun_failed"
)
_CANCEL: Final = CheckAction(
    label="Cancel", description="Stop what runs of this workflow", identifier="cancel"
)
_APPROVE: Final = CheckAction(
    label="Approve", description="Let this commit run, and only this one", identifier="approve"
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A check with what tells it from another one of the same name."""

    check: Check
    origin: str


def to_checks(
    runs: Sequence[tuple[RunReport, Evidence]],
    *,
    at: float,
    each_job: bool = False,
    skipped_passes: bool = False,
) -> tuple[Check, ...]:
    """The checks of a commit: of each workflow its newest run, as it stands at that time.

    `skipped_passes`: a workflow that did not run at all, because of its path filters, is concluded as a
    success, for forges that let nobody merge without one.
    """
    named = [one for run, evidence in runs for one in _checks(run, evidence, at=at, each_job=each_job)]
    if skipped_passes:
        unneeded = {run.path for run, _ in runs if run.state == "skipped" and not run.jobs}
        named = [
            replace(one, check=replace(one.check, state="success")) if one.origin in unneeded else one
            for one in named
        ]
    count = Counter(one.check.name for one in named)
    return tuple(
        one.check
        if count[one.check.name] == 1
        else replace(one.check, name=f"{one.check.name} ({plain(one.origin, 2 * _NAME_LIMIT)})")
        for one in named
    )


def _checks(run: RunReport, evidence: Evidence, *, at: float, each_job: bool) -> Iterator[_Named]:
    name = f"windlass / {plain(run.workflow, _NAME_LIMIT)}"
    yield _Named(_of_run(run, evidence, name=name, at=at, each_job=each_job), run.path)
    if each_job:
        for job in run.jobs:
            check = _of_job(job, run, evidence, name=f"{name} / {plain(job.name, _NAME_LIMIT)}", at=at)
            yield _Named(check, f"{run.path}: {job.key}")


def _of_run(run: RunReport, evidence: Evidence, *, name: str, at: float, each_job: bool) -> Check:
    annotations = list(to_annotations(run.remarks))
    if not each_job:  # else they stand with the jobs' own checks
        annotations += [one for job in run.jobs for one in _annotations(job, evidence)]
    return Check(
        name=name,
        external_id=run.run or run.path,
        state=run.state,
        title=run_title(run, at=at),
        summary=run_summary(run, evidence, at=at),
        text=run_text(run, run.jobs, evidence),
        url=run.url,
        started_at=run.started,
        completed_at=run.finished,
        annotations=tuple(dict.fromkeys(annotations)),
        actions=_actions(run),
    )


def _of_job(job: JobReport, run: RunReport, evidence: Evidence, *, name: str, at: float) -> Check:
    """It has no buttons but those of its own gate: others would be about the whole run."""
    return Check(
        name=name,
        external_id=run.run or run.path,
        state=job.state,
        title=job_title(job, at=at),
        summary=job_summary(job, evidence, at=at),
        text=run_text(run, (job,), evidence),
        url=job.url or run.url,
        started_at=job.started,
        completed_at=job.finished,
        annotations=_annotations(job, evidence),
        actions=gate_actions(waiting_jobs((job,))),
    )


def _annotations(job: JobReport, evidence: Evidence) -> tuple[CheckAnnotation, ...]:
    return to_annotations(job.remarks, evidence.of(job.key).log_end)


def _actions(run: RunReport) -> tuple[CheckAction, ...]:
    if run.run is None:
        return ()
    if at_gates := gate_actions(waiting_jobs(run.jobs)):
        return (*at_gates, _CANCEL)
    if run.state == "waiting":
        return (_APPROVE, _CANCEL)
    if run.state in UNFINISHED:
        return (_CANCEL,)
    has_failed = run.state not in ("success", "skipped") and run.jobs
    return (_RERUN, _RERUN_FAILED) if has_failed else (_RERUN,)
