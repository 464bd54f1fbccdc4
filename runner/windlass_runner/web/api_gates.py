"""What the API lets people answer to the gates of a run: approve, reject. Asked through the ledger."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.standing import may_answer
from windlass_runner.web.api_calls import Call, invalid, read_object
from windlass_runner.web.api_reading import answer
from windlass_runner.web.api_views import run_url, whole_run_view
from windlass_runner.web.problems import HttpProblem


async def approve(call: Call) -> Response:
    """Let a job that waits at its gate go on, as far as one answer does that."""
    return await _answer(call, is_approval=True)


async def reject(call: Call) -> Response:
    """Let it fail."""
    return await _answer(call, is_approval=False)


async def _answer(call: Call, *, is_approval: bool) -> Response:
    """200 with the run once the daemon has heard of it; 202 where it does so later."""
    call.query()
    body = await read_object(call.request, "comment")
    comment = body.get("comment") or ""
    if not isinstance(comment, str):
        raise invalid("'comment' is not a text")

    def ask() -> tuple[RunRecord, int | None]:
        run = call.run()
        if not _check(call, run, is_approval=is_approval):
            return run, None
        payload = {
            "run_id": run.id,
            "jobs": [call.request.path_params["job"]],
            "approve": is_approval,
            "actor": call.token.name,
            "comment": comment,
            "via": "HTTP API",
            "token": call.token.id,
        }
        return run, call.ledger.requests.put("answer", payload, at=call.source.clock())

    run, id = await run_in_threadpool(ask)
    result = {} if id is None else await _result(call, id)
    if result is not None and "error" in result:
        raise invalid(str(result["error"]))
    view = await run_in_threadpool(_view, call, run.id)
    return answer(view, 202 if result is None else 200, Location=run_url(run.id))


def _check(call: Call, run: RunRecord, *, is_approval: bool) -> bool:
    """Whether there is anything to answer: the same was not said before. Raises HttpProblem."""
    key = call.request.path_params["job"]
    job = next((job for job in call.ledger.runs.jobs(run.id) if job.key == key), None)
    if job is None:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"run {run.id} has no job '{key}'")
    gate = next((gate for gate in call.ledger.gates.of_run(run.id) if gate.job_key == key), None)
    if gate is not None and not may_answer(gate, call.token.name):
        detail = f"'{call.token.name}' is not among those who may let '{key}' through"
        raise invalid(detail, remedy=f"ask {' or '.join(gate.approvers)}")
    if gate is None or job.state != "waiting":
        said = gate.answers if gate is not None else ()
        if any((one.actor, one.is_approval) == (call.token.name, is_approval) for one in said):
            return False
        raise HttpProblem(HTTPStatus.CONFLICT, f"the job '{key}' waits for no approval")
    return True


async def _result(call: Call, id: int) -> dict[str, Any] | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + call.source.patience_s
    while True:
        mark = call.news.mark()
        result = await run_in_threadpool(call.ledger.requests.result, id)
        left = deadline - loop.time()
        if result is not None or left <= 0 or call.source.is_stopping():
            return None if result is None else dict(result)
        await call.news.wait(mark, timeout_s=left)


def _view(call: Call, run_id: str) -> dict[str, Any]:
    return whole_run_view(call, call.ledger.runs.get(run_id))
