"""What the API tells: repositories, runs, their events, their logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from windlass_registry.near_words import did_you_mean
from windlass_runner.forges.git_errors import without_credentials
from windlass_runner.ledger.records import FINAL, UNFINISHED, EventRecord, JobRecord, RunRecord, State
from windlass_runner.run.log_file import LogLine, read_log
from windlass_runner.web.api_calls import Call
from windlass_runner.web.api_views import event_view, line_view, run_view, whole_run_view
from windlass_runner.web.problems import HttpProblem, unknown_run, unreadable

LONGEST_WAIT_S: Final = 30.0
STREAM_S: Final = 45.0
"""After this a stream ends, and the client comes again with the last id that it saw."""
_REMARK_S: Final = 15.0
_EVENTS_AT_ONCE: Final = 500
_STATES: Final[dict[str, State]] = {state: state for state in (*UNFINISHED, *sorted(FINAL))}


def answer(body: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """JSON that nobody keeps."""
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **headers})


async def list_repositories(call: Call) -> Response:
    """Those that are watched, by name."""
    call.query()
    found = sorted(call.visible().items())
    return answer({"repositories": [{"name": name, "url": without_credentials(url)} for name, url in found]})


async def list_runs(call: Call) -> Response:
    """The newest first, a page at a time."""
    query = call.query("repository", "workflow", "state", "ref", "sha", "limit", "cursor")
    limit = query.whole("limit", 50, least=1, most=200)
    state = query.word("state", _STATES)
    found = await run_in_threadpool(
        call.ledger.runs.list,
        workflow=query.text("workflow"),
        state=None if state is None else _STATES[state],
        ref=query.text("ref"),
        sha=query.text("sha"),
        within=call.within(query.text("repository")),
        limit=limit + 1,
        before=query.text("cursor"),
    )
    shown = found[:limit]
    runs = [run_view(run, repository=call.source.name_of(run.repository)) for run in shown]
    return answer({"runs": runs, "next": shown[-1].id if len(found) > limit else None})


async def show_run(call: Call) -> Response:
    """One run with its jobs."""
    call.query()

    def read() -> dict[str, Any]:
        return whole_run_view(call, call.run())

    return answer(await run_in_threadpool(read))


async def list_events(call: Call) -> Response:
    """What happened behind a cursor; with `wait_s` something, where it happens within that time. To
    those who accept event streams, a stream."""
    query = call.query("after", "limit", "wait_s")
    after = query.whole("after", 0)
    if "text/event-stream" in call.request.headers.get("accept", ""):
        return await _stream(call, after)
    limit = query.whole("limit", _EVENTS_AT_ONCE, least=1, most=_EVENTS_AT_ONCE)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.seconds("wait_s", most=LONGEST_WAIT_S)
    while True:
        mark = call.news.mark()
        is_final, found = await run_in_threadpool(_look, call, after, limit)
        left = deadline - loop.time()
        if found or is_final or left <= 0 or call.source.is_stopping():
            break
        await call.news.wait(mark, timeout_s=left)
    return answer(
        {
            "events": [event_view(event) for event in found],
            "next": found[-1].id if found else after,
            "is_final": is_final and len(found) < limit,
        }
    )


def _look(call: Call, after: int, limit: int) -> tuple[bool, list[EventRecord]]:
    """Whether the run had ended before its events were looked at, and those behind the cursor."""
    run = call.run()
    return run.state in FINAL, call.ledger.events.after(after, run_id=run.id, limit=limit)


async def _stream(call: Call, after: int) -> Response:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Where nothing
    will come any more, 204: that ends a client's reconnecting."""
    last = call.request.headers.get("last-event-id", "")
    if last:
        if not (last.isascii() and last.isdigit() and len(last) < 19):
            raise unreadable(f"Last-Event-ID: {last}: not the id of an event")
        after = int(last)
    is_final, found = await run_in_threadpool(_look, call, after, 1)
    if is_final and not found:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(call, after), media_type="text/event-stream", headers=headers)


async def _events(call: Call, after: int) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STREAM_S
    yield "retry: 1000\n\n"
    while True:
        mark = call.news.mark()
        is_final, found = await run_in_threadpool(_look, call, after, _EVENTS_AT_ONCE)
        for event in found:
            data = json.dumps(event_view(event))
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n"
            after = event.id
        left = deadline - loop.time()
        if left <= 0 or (is_final and not found) or call.source.is_stopping():
            return
        if not found:
            await call.news.wait(mark, timeout_s=min(left, _REMARK_S))
            yield ": \n\n"


async def show_log(call: Call) -> Response:
    """The lines of a job behind a cursor, through all its attempts; as text, all that there are."""
    query = call.query("cursor")
    cursor = _cursor(query.text("cursor"))
    run, job = await run_in_threadpool(_job, call)
    if "text/plain" in call.request.headers.get("accept", ""):
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(_text(call, job, cursor), media_type="text/plain", headers=headers)
    attempt, lines, position = await run_in_threadpool(_read_lines, call, job, cursor)
    is_read = not lines and attempt >= job.attempt
    return answer(
        {
            "lines": [line_view(line, attempt=attempt) for line in lines],
            "next": f"{attempt}-{position}",
            "is_final": is_read and (job.state in FINAL or run.state in FINAL),
        }
    )


def _job(call: Call) -> tuple[RunRecord, JobRecord]:
    run = call.run()
    jobs = {job.key: job for job in call.ledger.runs.jobs(run.id)}
    key = call.request.path_params["job"]
    if key not in jobs:
        raise HttpProblem(
            unknown_run(run.id).status, f"run {run.id} has no job '{key}'", remedy=did_you_mean(key, jobs)
        )
    return run, jobs[key]


def _cursor(text: str | None) -> tuple[int, int]:
    """The attempt, from 1, and the bytes of its log that were read."""
    attempt, sign, position = (text or "1-0").partition("-")
    if not (sign and all(part.isascii() and part.isdigit() for part in (attempt, position))):
        raise unreadable(f"cursor={text}: not the 'next' of an answer")
    if max(len(attempt), len(position)) > 18 or int(attempt) < 1:
        raise unreadable(f"cursor={text}: not the 'next' of an answer")
    return int(attempt), int(position)


def _read_lines(call: Call, job: JobRecord, cursor: tuple[int, int]) -> tuple[int, list[LogLine], int]:
    """The next lines of one attempt: its number, the lines, and how far its log is read then."""
    attempt, position = cursor
    while True:
        path = call.source.storage.log(job.run_id, job.key, attempt)
        lines, behind = read_log(path, position)
        if lines or attempt >= job.attempt:
            return attempt, lines, behind
        attempt, position = attempt + 1, 0


def _text(call: Call, job: JobRecord, cursor: tuple[int, int]) -> Iterator[str]:
    while True:
        attempt, lines, position = _read_lines(call, job, cursor)
        if not lines:
            return
        cursor = attempt, position
        yield "".join(f"{line.text}\n" for line in lines)
