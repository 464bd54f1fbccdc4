"""The HTTP API, `/api/v1`: what `openapi.json` beside this file describes. Mounted by `web.app`.

It reads the ledger and the logs, and asks the daemon through the ledger; it holds nothing itself but how
often each token called lately.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from windlass_registry.errors import WindlassError
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import Scope
from windlass_runner.web.api_access import RateLimit, admit
from windlass_runner.web.api_asking import cancel, rerun, show_request, start_run, stop_app
from windlass_runner.web.api_calls import Call, Source
from windlass_runner.web.api_environments import list_deployments, list_gates
from windlass_runner.web.api_gates import approve, reject
from windlass_runner.web.api_news import News
from windlass_runner.web.api_reading import list_events, list_repositories, list_runs, show_log, show_run
from windlass_runner.web.api_views import PREFIX
from windlass_runner.web.problems import HttpProblem, answer_problem, unavailable

DESCRIPTION: Final = Path(__file__).with_name("api_openapi.json")
_RAISED: Final = (HttpProblem, HTTPException, WindlassError, Exception)
Endpoint = Callable[[Call], Awaitable[Response]]
_ENDPOINTS: Final[tuple[tuple[str, str, Scope, Endpoint], ...]] = (
    ("GET", "/repositories", "read", list_repositories),
    ("GET", "/runs", "read", list_runs),
    ("POST", "/runs", "run", start_run),
    ("GET", "/runs/{run}", "read", show_run),
    ("GET", "/runs/{run}/events", "read", list_events),
    ("GET", "/runs/{run}/jobs/{job:path}/logs", "read", show_log),
    ("POST", "/runs/{run}/jobs/{job:path}/approve", "approve", approve),
    ("POST", "/runs/{run}/jobs/{job:path}/reject", "approve", reject),
    ("POST", "/runs/{run}/jobs/{job:path}/stop", "run", stop_app),
    ("POST", "/runs/{run}/cancel", "run", cancel),
    ("POST", "/runs/{run}/rerun", "run", rerun),
    ("GET", "/deployments", "read", list_deployments),
    ("GET", "/gates", "read", list_gates),
    ("GET", "/requests/{request:int}", "run", show_request),
)


def make_api(source: Source) -> Mount:
    """The API as a part of an application."""
    gate = _Gate(source)
    paths = dict.fromkeys(path for _, path, _, _ in _ENDPOINTS)
    routes = [Route("/openapi.json", _describe, methods=["GET"])]
    for path in paths:
        methods = {method: (scope, end) for method, at, scope, end in _ENDPOINTS if at == path}
        routes.append(Route(path, gate.opens(methods), methods=list(methods)))
    app = Starlette(
        routes=routes,
        exception_handlers=dict.fromkeys(_RAISED, answer_problem),
    )
    app.router.redirect_slashes = False
    return Mount(PREFIX, app=app)


class _Gate:
    """Lets those in that may come, each so often."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rate = RateLimit(source.clock)
        self._news = News(
            lambda seen, timeout_s: self._ledger().wait_for_change(seen, timeout_s), source.is_stopping
        )

    def opens(self, methods: dict[str, tuple[Scope, Endpoint]]) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a path, for those whose tokens have its scope."""

        async def enter(request: Request) -> Response:
            scope, endpoint = methods["GET" if request.method == "HEAD" else request.method]
            ledger = self._ledger()
            shown = request.headers.get("authorization")
            now = self._source.clock()
            token = await run_in_threadpool(admit, ledger, shown, scope, at=now)
            self._rate.count(token)
            return await endpoint(
                Call(request=request, token=token, ledger=ledger, news=self._news, source=self._source)
            )

        return enter

    def _ledger(self) -> Ledger:
        ledger = self._source.ledger()
        if ledger is None:
            raise unavailable("the daemon has not begun", remedy="GET /healthz says what it waits for")
        return ledger


async def _describe(_request: Request) -> Response:
    text = await run_in_threadpool(DESCRIPTION.read_bytes)
    return Response(text, HTTPStatus.OK, media_type="application/json")
