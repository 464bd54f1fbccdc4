"""What the API tells of environments: what was deployed where, and who is waited for."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from windlass_runner.ledger.gate_records import DeploymentState
from windlass_runner.ledger.records import FINAL, UNFINISHED
from windlass_runner.web.api_calls import Call
from windlass_runner.web.api_reading import answer
from windlass_runner.web.api_views import deployment_view, waiting_view
from windlass_runner.web.problems import unreadable

_STATES: Final[dict[str, DeploymentState]] = {
    **{state: state for state in (*UNFINISHED, *sorted(FINAL))},
    "inactive": "inactive",
}


async def list_deployments(call: Call) -> Response:
    """The newest first, a page at a time."""
    query = call.query("environment", "repository", "state", "sha", "limit", "cursor")
    limit = query.whole("limit", 50, least=1, most=200)
    state = query.word("state", _STATES)
    before = query.whole("cursor", 0)
    found = await run_in_threadpool(
        call.ledger.deployments.list,
        environment=query.text("environment"),
        within=call.within(query.text("repository")),
        sha=query.text("sha"),
        state=None if state is None else _STATES[state],
        limit=limit + 1,
        before=before or None,
    )
    shown = found[:limit]
    views = [deployment_view(one, repository=call.source.name_of(one.repository)) for one in shown]
    return answer({"deployments": views, "next": str(shown[-1].id) if len(found) > limit else None})


async def list_gates(call: Call) -> Response:
    """Those at which jobs wait now, of the oldest run first, a page at a time."""
    query = call.query("repository", "limit", "cursor")
    limit = query.whole("limit", 50, least=1, most=200)
    cursor = query.text("cursor")
    run, sign, job = (cursor or "").partition("/")
    if cursor is not None and not (run and sign and job):
        raise unreadable(f"cursor={cursor}: not the 'next' of an answer")
    found = await run_in_threadpool(
        call.ledger.gates.waiting,
        within=call.within(query.text("repository")),
        limit=limit + 1,
        after=(run, job) if cursor is not None else None,
    )
    shown = found[:limit]
    views = [waiting_view(one, repository=call.source.name_of(one.repository)) for one in shown]
    last = f"{shown[-1].run_id}/{shown[-1].gate.job_key}" if len(found) > limit else None
    return answer({"gates": views, "next": last})
