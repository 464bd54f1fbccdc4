"""What the ledger knows of a commit, as it is posted on it. Called by `daemon.posting`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from windlass_runner.daemon.apps import with_apps
from windlass_runner.daemon.evidence import read_evidence
from windlass_runner.daemon.refusals import REFUSED, refusal_text
from windlass_runner.forges.base import CommitStatus, Deployment, PullRequestComment
from windlass_runner.ledger.gate_records import Gate
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobRecord, RunRecord
from windlass_runner.run.base_run import figures
from windlass_runner.run.check_comment import comment_text
from windlass_runner.run.check_evidence import Evidence
from windlass_runner.run.check_report import to_checks
from windlass_runner.run.report import JobReport, OutputReport, RemarkReport, RunReport, note_text, to_note
from windlass_runner.run.storage import Storage
from windlass_runner.run.verdicts import Judged, judged_of
from windlass_runner.web.links import LINKED_TYPES, Links, job_anchor
from windlass_runner.workflow.events import Event

_RUNS_LOOKED_AT: Final = 100
Link = Callable[[RunRecord], str | None]
"""The address of a run's page; None: nobody serves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksShown:
    """For forges that show checks: where the logs lie, what links are made with (None: there are none),
    whether each job has a check of its own, whether that of a workflow which path filters kept from running
    says that it succeeded, and whether there is a comment on pull requests."""

    storage: Storage
    links: Links | None = None
    each_job: bool = False
    skipped_passes: bool = False
    comments: bool = False


def compose_status(
    ledger: Ledger,
    repository: str,
    sha: str,
    *,
    url_of: Link,
    at: float,
    checks: ChecksShown | None = None,
    links: Links | None = None,
) -> CommitStatus:
    """The status of a commit as it is now: of each workflow, its newest run.

    Without `checks` it is the note alone, for which the ledger is read and nothing else. With `links` it
    names addresses of what jobs put out.
    """
    runs = ledger.runs.of_commit(repository, sha)
    newest = _newest(runs)
    links = checks.links if checks is not None else links
    reports = [run_report(ledger, run, url=url_of(run), links=links) for run in newest]
    note = note_text(to_note(reports, commit=sha, updated=at))
    if checks is None:
        return CommitStatus(repository=repository, sha=sha, checks=(), note=note)
    evidence = [read_evidence(ledger, checks.storage, run, links=links) for run in newest]
    shown = to_checks(
        list(zip(reports, evidence, strict=True)),
        at=at,
        each_job=checks.each_job,
        skipped_passes=checks.skipped_passes,
    )
    comments = _comments(ledger, runs, checks, url_of) if checks.comments else ()
    return CommitStatus(
        repository=repository,
        sha=sha,
        checks=shown,
        note=note,
        comments=comments,
        deployments=_deployments(ledger, repository, sha, runs, url_of),
    )


def _deployments(
    ledger: Ledger, repository: str, sha: str, runs: Iterable[RunRecord], url_of: Link
) -> tuple[Deployment, ...]:
    known = {run.id: run for run in runs}
    return tuple(
        Deployment(
            run=found.run_id,
            job=found.job_key,
            environment=found.environment,
            state=found.state,
            ref=found.ref,
            description=found.reason
            or (f"approved by {', '.join(found.approved_by)}" if found.approved_by else ""),
            log_url=url_of(known[found.run_id]) if found.run_id in known else None,
            environment_url=found.url,
        )
        for found in ledger.deployments.of_commit(repository, sha)
    )


def _newest(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Of each workflow the first one."""
    found: dict[str, RunRecord] = {}
    for run in runs:
        found.setdefault(run.workflow_path, run)
    return list(found.values())


def _comments(
    ledger: Ledger, runs: Sequence[RunRecord], checks: ChecksShown, url_of: Link
) -> tuple[PullRequestComment, ...]:
    """One for each pull request of which this is the newest commit, about the runs that belong to it."""
    pulls: dict[int, list[RunRecord]] = {}
    for run in runs:
        number = Event.from_json(json.loads(ledger.runs.event(run.id))).number
        if number is not None:
            pulls.setdefault(number, []).append(run)

    def described(run: RunRecord) -> tuple[RunReport, Evidence]:
        report = run_report(ledger, run, url=url_of(run), links=checks.links)
        return report, read_evidence(ledger, checks.storage, run)

    return tuple(
        PullRequestComment(
            number=number, text=comment_text(found[0].sha, list(map(described, _newest(found))))
        )
        for number, found in pulls.items()
        if _is_newest_commit(ledger, found[0])
    )


def _is_newest_commit(ledger: Ledger, run: RunRecord) -> bool:
    """Whether nothing was run since for another commit of its ref. Older ones that run again do not count."""
    runs = ledger.runs.list(repository=run.repository, ref=run.ref, limit=_RUNS_LOOKED_AT)
    newest = next((one for one in runs if one.rerun_of is None), run)
    return newest.sha == run.sha


def run_report(ledger: Ledger, run: RunRecord, *, url: str | None, links: Links | None = None) -> RunReport:
    """One run with its jobs. With `links`, files that they put out have an address."""
    jobs = ledger.runs.jobs(run.id)
    gates = {gate.job_key: gate for gate in ledger.gates.of_run(run.id)}
    judged = judged_of(ledger.runs.attempts(run.id))
    refusals = _refused_answers(ledger, run, jobs)
    report = RunReport(
        workflow=run.workflow,
        path=run.workflow_path,
        state=run.state,
        run=run.id,
        reason=run.reason or None,
        started=run.started_at,
        finished=run.ended_at,
        url=url,
        jobs=tuple(
            _job_report(
                job,
                links,
                gates.get(job.key),
                judged=judged.get(job.key, ()),
                refusals=refusals.get(job.key, ()),
                url=f"{url}#{job_anchor(place)}" if url else None,
            )
            for place, job in enumerate(jobs, 1)
        ),
        remarks=() if jobs else _refusals(ledger, run),
        notes=_notes(ledger, run),
    )
    return report if links is None else with_apps(report, ledger, run, links)


def _job_report(
    job: JobRecord,
    links: Links | None,
    gate: Gate | None,
    *,
    judged: tuple[Judged, ...],
    refusals: Sequence[str],
    url: str | None,
) -> JobReport:
    return JobReport(
        url=url,
        key=job.key,
        name=job.name,
        state=job.state,
        reason=job.reason or None,
        attempt=job.attempt,
        started=job.started_at,
        finished=job.ended_at,
        metrics=figures(job.metrics),
        outputs=tuple(
            _output(name, found, url=_url(job, name, links)) for name, found in job.outputs.items()
        ),
        remarks=tuple(_remark(found) for found in job.annotations if isinstance(found, Mapping)),
        expectations=judged,
        gate=gate,
        refusals=tuple(refusals),
    )


def _refused_answers(ledger: Ledger, run: RunRecord, jobs: Sequence[JobRecord]) -> dict[str, list[str]]:
    """Of the jobs that wait, by their keys, what people said to their gates that does not count."""
    waiting = {job.key for job in jobs if job.state == "waiting"}
    found: dict[str, list[str]] = {}
    for event in ledger.events.sample(run.id, REFUSED) if waiting else ():
        if event.job_key in waiting:
            found.setdefault(str(event.job_key), []).append(refusal_text(event.data))
    return found


def _notes(ledger: Ledger, run: RunRecord) -> tuple[str, ...]:
    """What its plan noted, from the first of its events: the plan itself can be large."""
    return tuple(
        note
        for event in ledger.events.after(0, run_id=run.id, limit=1)
        for note in event.data.get("notes", ())
    )


def _refusals(ledger: Ledger, run: RunRecord) -> tuple[RemarkReport, ...]:
    """What is wrong with a workflow file that could not run."""
    if run.state != "failure":
        return ()
    events = ledger.events.after(0, run_id=run.id, limit=20)
    problems = [problem for event in events for problem in event.data.get("problems", ())]
    return tuple(
        RemarkReport(
            level=problem["severity"],
            message=problem["message"] + (f"; {problem['remedy']}" if problem.get("remedy") else ""),
            file=problem["path"],
            line=problem["line"] or None,
            column=problem["column"] or None,
        )
        for problem in problems
    )


def _output(name: str, found: Any, *, url: str | None) -> OutputReport:
    if not isinstance(found, Mapping):
        return OutputReport(name=name, type="string", value=str(found))
    value = found.get("value", found.get("text"))
    return OutputReport(
        name=name,
        type=str(found.get("type", "string")),
        value=None if value is None else str(value),
        path=None if found.get("path") is None else str(found["path"]),
        url=url,
        ref=found.get("ref"),
        digest=found.get("digest"),
        size_bytes=found.get("size_bytes"),
    )


def _url(job: JobRecord, name: str, links: Links | None) -> str | None:
    """A link to what a job put out: it ends some days after the job, so it stays the same."""
    output = job.outputs[name]
    if not isinstance(output, Mapping):
        return None
    if output.get("url") or links is None or job.ended_at is None or output.get("type") not in LINKED_TYPES:
        return output.get("url")
    return links.make("artifacts", job.run_id, job.key, name, since=job.ended_at)


def _remark(found: Mapping[str, Any]) -> RemarkReport:
    return RemarkReport(
        level=str(found.get("level", "notice")),
        message=str(found.get("message", "")),
        title=found.get("title"),
        file=found.get("file"),
        line=found.get("line"),
        end_line=found.get("end_line"),
        column=found.get("column"),
        end_column=found.get("end_column"),
    )
