"""What came of a graph of jobs in a run that is over: its outputs, from those of its jobs in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from windlass_runner.ledger.records import JobRecord
from windlass_runner.plan.codec import loads
from windlass_runner.plan.contexts import event_contexts
from windlass_runner.plan.model import Plan, PlannedJob
from windlass_runner.run.progress import Progress
from windlass_runner.run.states import FINAL


def outputs_of_graph(plan: Plan, job_id: str, records: Sequence[JobRecord]) -> dict[str, Mapping[str, Any]]:
    """The outputs of the job that is a graph, as the ledger has those of any job. `records`: all jobs of the
    run."""
    added = [loads(PlannedJob, record.planned) for record in records if record.planned]
    expanded = {job.job_id for job in added}
    kept = [job for job in plan.jobs if not (job.is_deferred and job.job_id in expanded)]
    contexts = event_contexts(
        plan.event, workflow=plan.workflow, path=plan.path, inputs=plan.inputs, variables={}
    )
    progress = Progress(plan, contexts=contexts, jobs=[*kept, *added])
    for record in records:
        if record.state in FINAL and record.key in progress.legs:
            progress.restore(record.key, record.state, record.outputs)
    names = {name for call in plan.calls.values() if call.job_id == job_id for name in call.outputs}
    found = {name: progress.output_of(job_id, name) for name in sorted(names)}
    return {name: output for name, output in found.items() if output is not None}
