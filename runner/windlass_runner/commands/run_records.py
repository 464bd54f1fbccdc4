"""Runs and jobs as JSON: what `runs`, `show`, `run` and `rerun` print for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptRecord, JobRecord, RunRecord
from windlass_runner.run.answers import gates_json
from windlass_runner.run.verdicts import read_judged


def record_json(run: RunRecord) -> dict[str, Any]:
    """A run without its jobs."""
    return {**asdict(run), "duration_s": _duration(run.started_at, run.ended_at)}


def job_json(job: JobRecord) -> dict[str, Any]:
    """One job."""
    data = asdict(job)
    for name in ("run_id", "planned"):
        del data[name]
    return {**data, "duration_s": _duration(job.started_at, job.ended_at)}


def images_of(attempt: AttemptRecord) -> dict[str, str]:
    """Digests of the images that an attempt ran, by the names that asked for them; known at its end."""
    return {str(name): str(digest) for name, digest in attempt.detail.get("images", {}).items()}


def run_json(ledger: Ledger, run_id: str) -> dict[str, Any]:
    """A run with its jobs, and these with their attempts."""
    attempts: dict[str, list[dict[str, Any]]] = {}
    for attempt in ledger.runs.attempts(run_id):
        attempts.setdefault(attempt.job_key, []).append(_attempt_json(attempt))
    gates = gates_json(ledger.gates.of_run(run_id))
    jobs = [
        {**job_json(job), "attempts": attempts.get(job.key, []), "gate": gates.get(job.key)}
        for job in ledger.runs.jobs(run_id)
    ]
    return {**record_json(ledger.runs.get(run_id)), "jobs": jobs}


def _attempt_json(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "state": attempt.state,
        "exit_code": attempt.exit_code,
        "cause": attempt.cause,
        "reason": attempt.detail.get("reason", ""),
        "images": images_of(attempt),
        "expectations": [asdict(one) for one in read_judged(attempt.detail)],
    }


def _duration(started: float | None, ended: float | None) -> float | None:
    return None if started is None or ended is None else round(max(ended - started, 0.0), 3)
