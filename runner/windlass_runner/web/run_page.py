"""The page of a run, and the logs of its jobs, for those who have a link to it.

Works without a script: then it loads itself anew while the run goes on. With one it asks every few seconds
for what is new: with `after=CURSOR` the same page comes where something has happened behind that event; a log
goes on behind its `cursor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from windlass_registry.server.markup import printable
from windlass_runner.daemon.apps import told_apps
from windlass_runner.daemon.evidence import read_evidence
from windlass_runner.daemon.status import run_report
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import FINAL, JobRecord, RunRecord
from windlass_runner.run.check_title import BROKEN
from windlass_runner.run.courses import read_courses
from windlass_runner.run.log_file import LogLine, read_log
from windlass_runner.run.storage import Storage
from windlass_runner.web.job_html import spoken
from windlass_runner.web.link_gate import SAFE_HEADERS, Shown, behind_link, told
from windlass_runner.web.links import Links, run_url
from windlass_runner.web.run_html import page_of
from windlass_runner.web.run_view import ShownJob, ShownLog, ShownRun

LOGS_SHOWN: Final = 40
LINES_SHOWN: Final = 400
_TAIL_BYTES: Final = 256 * 1024
_ASSETS: Final = Path(__file__).with_name("assets")
_PAGE_HEADERS: Final = {
    **SAFE_HEADERS,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",  # a page of an app that opens it has no hold on it
    "Referrer-Policy": "no-referrer",  # the address is the key to the page: no other site is told of it
}

Naming = Callable[[str], str]
CommitUrl = Callable[[str, str], str | None]


class RunPages:
    """Reads pages. `name_of`: of a repository's address; `commit_url`: of an address and a commit."""

    def __init__(self, shown: Shown, *, name_of: Naming, commit_url: CommitUrl) -> None:
        self._shown = shown
        self._name_of = name_of
        self._commit_url = commit_url

    def answer(self, request: Request, ledger: Ledger) -> Response:
        """The page as it is now; with `after` only where something has happened behind that (else 204)."""
        run_id = request.path_params["run"]
        after = request.query_params.get("after", "")
        is_asked_for_news = after.isascii() and after.isdigit() and len(after) < 19
        if is_asked_for_news and not ledger.events.after(int(after), run_id=run_id, limit=1):
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PAGE_HEADERS)
        links = self._shown.links()
        try:
            assert links is not None  # `behind_link` has asked
            page = page_of(self._read(ledger, links, ledger.runs.get(run_id)))
        except UnknownRun:
            return told(HTTPStatus.GONE, "There was a run here; it has been removed.")
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    def _read(self, ledger: Ledger, links: Links, run: RunRecord) -> ShownRun:
        cursor = ledger.events.last()  # asked first: what comes meanwhile is shown twice rather than never
        report = run_report(ledger, run, url=run_url(links, run), links=links)
        records = ledger.runs.jobs(run.id)
        courses = read_courses(ledger, run.id, records)
        logs = _logs(self._shown.storage, links, records)
        apps = told_apps(ledger, run, links)
        return ShownRun(
            report=report,
            number=run.number,
            name=run.name,
            repository=self._name_of(run.repository),
            ref=run.ref or "",
            sha=run.sha,
            commit_url=self._commit_url(run.repository, run.sha),
            created_at=run.created_at,
            jobs=[
                ShownJob(
                    report=told_of,
                    waits_for=_waits_for(record, records),
                    courses=courses[record.key],
                    log=logs.get(record.key),
                    app=apps.get(record.key),
                )
                for told_of, record in zip(report.jobs, records, strict=True)
            ],
            evidence=read_evidence(ledger, self._shown.storage, run),
            is_final=run.state in FINAL,
            cursor=cursor,
            at=self._shown.clock(),
        )


def make_run_pages(shown: Shown, *, name_of: Naming, commit_url: CommitUrl) -> list[Route | Mount]:
    """`/runs/<run>`, `/logs/<run>/<job>` and what the page is drawn with, as parts of an application."""
    pages = RunPages(shown, name_of=name_of, commit_url=commit_url)

    def log(request: Request, ledger: Ledger) -> Response:
        return _answer_log(request, ledger, shown.storage)

    return [
        Route("/runs/{run}", behind_link(shown, pages.answer), methods=["GET"]),
        Route("/logs/{run}/{job:path}", behind_link(shown, log), methods=["GET"]),
        Mount("/assets", StaticFiles(directory=_ASSETS)),
    ]


def _waits_for(job: JobRecord, jobs: list[JobRecord]) -> list[str]:
    if job.state != "queued":
        return []
    return [other.name for other in jobs if other.key in job.needs and other.state not in FINAL]


def _logs(storage: Storage, links: Links, jobs: list[JobRecord]) -> dict[str, ShownLog]:
    """Addresses of all logs; the ends of those that people want to read first."""
    begun = [job for job in jobs if job.attempt]
    first = sorted(begun, key=lambda job: (job.state not in BROKEN, job.state != "running"))[:LOGS_SHOWN]
    shown = {job.key for job in first}
    return {job.key: _log(storage, links, job, is_read=job.key in shown) for job in begun}


def _log(storage: Storage, links: Links, job: JobRecord, *, is_read: bool) -> ShownLog:
    url = links.make("logs", job.run_id, job.key, since=job.ended_at or job.started_at or 0.0)
    if not is_read:
        return ShownLog(url=url)
    path = storage.log(job.run_id, job.key, job.attempt)
    size = path.stat().st_size if path.is_file() else 0
    lines, behind = read_log(path, max(0, size - _TAIL_BYTES), limit_bytes=2 * _TAIL_BYTES)
    kept = lines[-LINES_SHOWN:]
    is_cut = len(kept) < len(lines) or size > _TAIL_BYTES
    return ShownLog(url=url, lines=kept, cursor=f"{job.attempt}-{behind}", is_cut=is_cut)


def _answer_log(request: Request, ledger: Ledger, storage: Storage) -> Response:
    """All of it as text; behind a cursor as JSON. It is masked as it is written."""
    run_id, key = request.path_params["run"], request.path_params["job"]
    job = next((job for job in ledger.runs.jobs(run_id) if job.key == key), None)
    if job is None:
        return told(HTTPStatus.GONE, "There was a log here; it has been removed.")
    attempt, sign, position = request.query_params.get("cursor", "").partition("-")
    if sign and all(part.isascii() and part.isdigit() and len(part) < 16 for part in (attempt, position)):
        return _news_of_log(storage, job, int(attempt), int(position))
    headers = {**SAFE_HEADERS, "Content-Security-Policy": "default-src 'none'"}
    return StreamingResponse(_whole_log(storage, job), media_type="text/plain", headers=headers)


def _news_of_log(storage: Storage, job: JobRecord, attempt: int, position: int) -> Response:
    if attempt < job.attempt:
        attempt, position = job.attempt, 0
    lines, behind = read_log(storage.log(job.run_id, job.key, attempt), position)
    said = [{"kind": line.kind, "text": printable(line.text)} for line in spoken(lines)]
    is_final = job.state in FINAL and not lines
    answer = {"lines": said, "next": f"{attempt}-{behind}", "is_final": is_final}
    return JSONResponse(answer, headers=SAFE_HEADERS)


def _whole_log(storage: Storage, job: JobRecord) -> Iterator[str]:
    for attempt in range(1, job.attempt + 1):
        if job.attempt > 1:
            yield f"--- attempt {attempt} of {job.attempt}\n"
        cursor, lines = 0, [LogLine(offset=0, time=0.0, step="", text="")]
        while lines:
            lines, cursor = read_log(storage.log(job.run_id, job.key, attempt), cursor)
            yield "".join(f"{line.text}\n" for line in lines)
