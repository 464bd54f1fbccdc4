"""What the API has the daemon do: start, cancel, run again. Asked through the ledger, as the commands do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from windlass_registry.near_words import did_you_mean
from windlass_runner.ledger.records import FINAL, RequestKind
from windlass_runner.run.app import answering_apps
from windlass_runner.web.api_calls import Call, invalid, read_object
from windlass_runner.web.api_reading import answer
from windlass_runner.web.api_views import PREFIX, run_url, run_view, whole_run_view
from windlass_runner.web.problems import HttpProblem, unavailable, unreadable

_LONGEST_KEY: Final = 255
_AUTHOR, _OPERATOR, _UPSTREAM = 2, 3, 4


async def start_run(call: Call) -> Response:
    """Start a workflow: 201 with the run, or 202 with where its beginning will be told."""
    call.query()
    body = await read_object(call.request, "workflow", "repository", "ref", "inputs")
    workflow = _text(body, "workflow")
    if not workflow:
        raise invalid("the workflow is not named", remedy='send {"workflow": NAME}')
    payload = {
        "workflow": workflow,
        "repository": _repository(call, _text(body, "repository")),
        "ref": _text(body, "ref"),
        "inputs": _inputs(body),
        "actor": call.token.name,
    }
    return await _ask(call, "start", payload)


async def rerun(call: Call) -> Response:
    """Run a run again, all of it or what failed: 201 with the new run, or 202."""
    call.query()
    body = await read_object(call.request, "failed")
    failed = body.get("failed", False)
    if not isinstance(failed, bool):
        raise invalid("'failed' is neither true nor false")
    run = await run_in_threadpool(call.run)
    if run.state not in FINAL:
        detail = f"run {run.id} has not ended"
        raise HttpProblem(HTTPStatus.CONFLICT, detail, remedy="wait for it, or cancel it first")
    return await _ask(call, "rerun", {"run_id": run.id, "failed": failed})


async def cancel(call: Call) -> Response:
    """Stop a run gracefully: 202, or 200 where it has ended already. May be called again."""
    call.query()
    body = await read_object(call.request, "reason")
    reason = _text(body, "reason") or f"cancelled by {call.token.name}"

    def ask() -> tuple[int, dict[str, Any]]:
        run = call.run()
        is_over = run.state in FINAL
        if not is_over:
            payload = {"run_id": run.id, "reason": reason}
            call.ledger.requests.put("cancel", payload, at=call.source.clock())
            run = call.ledger.runs.get(run.id)
        return 200 if is_over else 202, run_view(run, repository=call.source.name_of(run.repository))

    status, view = await run_in_threadpool(ask)
    return answer(view, status, Location=run_url(view["id"]))


async def stop_app(call: Call) -> Response:
    """End an app, whose job then succeeds: 202."""
    call.query()
    await read_object(call.request)

    def ask() -> dict[str, Any]:
        run, key = call.run(), call.request.path_params["job"]
        if key not in answering_apps(call.ledger, run):
            detail = f"no app runs as job '{key}' of run {run.id}"
            raise HttpProblem(HTTPStatus.CONFLICT, detail, remedy="look at the run: has it begun, or ended?")
        payload = {"run_id": run.id, "job": key, "actor": call.token.name}
        call.ledger.requests.put("stop", payload, at=call.source.clock())
        return run_view(run, repository=call.source.name_of(run.repository))

    view = await run_in_threadpool(ask)
    return answer(view, HTTPStatus.ACCEPTED, Location=run_url(view["id"]))


async def show_request(call: Call) -> Response:
    """What became of something that was answered by 202; for the token alone that asked it."""
    call.query()
    id = int(call.request.path_params["request"])
    request = await run_in_threadpool(call.ledger.requests.get, id) if id < 2**62 else None
    if request is None or request.payload.get("token") != call.token.id:
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"there is no request {id} of this token")
    return await _told(call, id, wait_s=0.0)


async def _ask(call: Call, kind: RequestKind, payload: Mapping[str, Any]) -> Response:
    """Ask once, also where the same call comes again under its `Idempotency-Key`
    (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)."""
    payload = {**payload, "token": call.token.id}
    key = call.request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise unreadable(f"Idempotency-Key: not 1 to {_LONGEST_KEY} printable letters")

    def put() -> int:
        stored = None if key is None else f"{call.token.id}\n{key}"
        id = call.ledger.requests.put(kind, payload, at=call.source.clock(), key=stored)
        asked = call.ledger.requests.get(id)
        if key is not None and (asked is None or (asked.kind, asked.payload) != (kind, payload)):
            remedy = "choose a key for each call anew, and keep it for its repetitions"
            raise invalid("something else was asked under this Idempotency-Key", remedy=remedy)
        return id

    return await _told(call, await run_in_threadpool(put), wait_s=call.source.patience_s)


async def _told(call: Call, id: int, *, wait_s: float) -> Response:
    """The run that came of a request; 202 where the daemon does not answer in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        mark = call.news.mark()
        result = await run_in_threadpool(call.ledger.requests.result, id)
        left = deadline - loop.time()
        if result is not None or left <= 0 or call.source.is_stopping():
            break
        await call.news.wait(mark, timeout_s=left)
    if result is None:
        where = f"{PREFIX}/requests/{id}"
        return answer({"request": where, "state": "waiting"}, 202, Location=where)
    if "error" in result:
        raise _refusal(result)

    def read() -> dict[str, Any]:
        return whole_run_view(call, call.ledger.runs.get(str(result["run_id"])))

    view = await run_in_threadpool(read)
    return answer(view, 201, Location=view["url"])


def _refusal(result: Mapping[str, Any]) -> HttpProblem:
    """What the daemon said against it; its exit code says whose turn it is."""
    detail = str(result["error"])
    match result.get("exit_code"):
        case code if code in (_AUTHOR, _OPERATOR):
            return invalid(detail)
        case code if code == _UPSTREAM:
            return unavailable(detail)
    return HttpProblem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _repository(call: Call, named: str | None) -> str:
    """The name of the repository that is meant, among those that the token may see."""
    visible = call.visible()
    by_url = {url: name for name, url in visible.items()}
    if named is None and len(visible) == 1:
        return next(iter(visible))
    if named in visible or named in by_url:
        return by_url.get(named, named)
    known = ", ".join(sorted(visible)) or "there is none for this token"
    if named is None:
        raise invalid("the repository is not named", remedy=f"name one: {known}")
    remedy = did_you_mean(named, visible)
    raise invalid(f"the repository '{named}' is not watched", remedy=remedy)


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise invalid(f"'{name}' is not a text")


def _inputs(body: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    inputs = body.get("inputs")
    if inputs is None:
        return {}
    if not isinstance(inputs, dict):
        raise invalid("'inputs' is not an object")
    for name, value in inputs.items():
        if not isinstance(value, str | int | float | bool):
            raise invalid(f"the input '{name}' is neither a text, nor a number, nor true or false")
    return inputs
