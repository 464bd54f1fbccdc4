"""What the API shows of the ledger's records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from windlass_runner.daemon.apps import ToldApp, told_apps
from windlass_runner.ledger.gate_records import DeploymentRecord, WaitingGate
from windlass_runner.ledger.records import EventRecord, JobRecord, RunRecord
from windlass_runner.run.answers import gates_json
from windlass_runner.run.log_file import LogLine
from windlass_runner.web.api_calls import Call

PREFIX = "/api/v1"


def run_url(run_id: str) -> str:
    """Where a run is read."""
    return f"{PREFIX}/runs/{run_id}"


def run_view(run: RunRecord, *, repository: str) -> dict[str, Any]:
    """A run without its jobs. `repository`: its name."""
    return {
        "id": run.id,
        "url": run_url(run.id),
        "number": run.number,
        "name": run.name,
        "repository": repository,
        "ref": run.ref,
        "sha": run.sha,
        "workflow": run.workflow,
        "workflow_path": run.workflow_path,
        "state": run.state,
        "reason": run.reason,
        "is_cancel_requested": run.is_cancel_requested,
        "rerun_of": run.rerun_of,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }


def job_view(job: JobRecord, *, gate: Mapping[str, Any] | None, app: ToldApp | None) -> dict[str, Any]:
    """A job as it stands. `gate`: the one that it came to; `app`: the one that it serves."""
    return {
        "key": job.key,
        "name": job.name,
        "needs": list(job.needs),
        "state": job.state,
        "reason": job.reason,
        "attempt": job.attempt,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "exit_code": job.exit_code,
        "outputs": dict(job.outputs),
        "metrics": dict(job.metrics),
        "summary": job.summary,
        "annotations": job.annotations,
        "gate": gate,
        "app": None if app is None else asdict(app),
    }


def whole_run_view(call: Call, run: RunRecord) -> dict[str, Any]:
    """A run with its jobs, in the order of the plan. Blocks."""
    ledger, source = call.ledger, call.source
    gates, apps = gates_json(ledger.gates.of_run(run.id)), told_apps(ledger, run, source.links())
    jobs = [job_view(job, gate=gates.get(job.key), app=apps.get(job.key)) for job in ledger.runs.jobs(run.id)]
    return {**run_view(run, repository=source.name_of(run.repository)), "jobs": jobs}


def waiting_view(waiting: WaitingGate, *, repository: str) -> dict[str, Any]:
    """A gate at which a job waits. `repository`: its name."""
    key = waiting.gate.job_key
    return {
        "run": waiting.run_id,
        "url": run_url(waiting.run_id),
        "job": key,
        "repository": repository,
        "ref": waiting.ref,
        "sha": waiting.sha,
        "workflow": waiting.workflow,
        "gate": gates_json([waiting.gate])[key],
    }


def deployment_view(deployment: DeploymentRecord, *, repository: str) -> dict[str, Any]:
    """What was deployed where. `repository`: its name."""
    return {
        "id": deployment.id,
        "environment": deployment.environment,
        "state": deployment.state,
        "reason": deployment.reason,
        "url": deployment.url,
        "repository": repository,
        "ref": deployment.ref,
        "sha": deployment.sha,
        "workflow": deployment.workflow,
        "run": deployment.run_id,
        "job": deployment.job_key,
        "actor": deployment.actor,
        "approved_by": list(deployment.approved_by),
        "created_at": deployment.created_at,
        "changed_at": deployment.changed_at,
    }


def event_view(event: EventRecord) -> dict[str, Any]:
    """Something that happened. `id` is the cursor behind it."""
    return {
        "id": event.id,
        "job": event.job_key,
        "kind": event.kind,
        "at": event.at,
        "data": dict(event.data),
    }


def line_view(line: LogLine, *, attempt: int) -> dict[str, Any]:
    """A line of a job's log."""
    return {
        "attempt": attempt,
        "at": line.time,
        "step": line.step,
        "kind": line.kind,
        "text": line.text,
    }
