"""Apps behind the daemon: `/apps/<run>/<job>` with a signed link opens one, all below is the app's.

An app is a running job that serves HTTP (`run.app`). Its pages share the daemon's address, unless the
settings name another for them, or one for each; where they share it, what they may do is narrow
(`web.apps_gate`).
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from windlass_registry.errors import WindlassError
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.app import AppAddress, base_path
from windlass_runner.web.apps_gate import (
    by_name,
    cookie_for,
    find_app,
    is_at_home,
    is_let_in,
    may_come,
)
from windlass_runner.web.apps_http import AppUnreachable, pass_request
from windlass_runner.web.apps_sockets import pass_socket
from windlass_runner.web.link_gate import SAFE_HEADERS, Shown, behind_link, told
from windlass_runner.web.links import Links

MOST_REQUESTS: Final = 64
MOST_SOCKETS: Final = 64
"""At once, of all apps together: the rest of the daemon's connections stay for others."""
_NO_LINK: Final = (
    "Open this app by its link, from the check or the page of its run. A link lets you in for 8 hours."
)
_NOTHING: Final = "There is nothing here."
_GONE: Final = "This app has ended, or is not ready yet. The page of its run says which."
_POLICY_VIOLATION: Final = 1008
_TRY_AGAIN: Final = 1013
log = logging.getLogger("windlass_runner.apps")


def make_apps(shown: Shown) -> list[BaseRoute]:
    """The routes of all apps."""
    apps = _Apps(shown)
    return [
        Route("/apps/{run}/{job}", behind_link(shown, apps.open), methods=["GET"]),
        Route("/apps/{run}/{job}/{rest:path}", apps),
        WebSocketRoute("/apps/{run}/{job}/{rest:path}", apps),
    ]


def only_apps_at(address: str, app: ASGIApp) -> ASGIApp:
    """An application that shows apps under that address, and there nothing else. With `*` for its first
    label: under all such host names."""
    host = urlsplit(address).netloc.lower()

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            asked = by_name(scope["headers"]).get("host", "").lower()
            is_for_apps = host in (asked, f"*.{asked.partition('.')[2]}")
            if is_for_apps != scope["path"].startswith("/apps/"):
                await _refuse(scope, receive, send, HTTPStatus.NOT_FOUND, _NOTHING)
                return
        await app(scope, receive, send)

    return front


class _Apps:
    """An ASGI application below each app's base path. For one event loop's thread."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._left = {"http": MOST_REQUESTS, "websocket": MOST_SOCKETS}

    def open(self, request: Request, ledger: Ledger) -> Response:
        """A link is good: its bearer is let in."""
        links = self._shown.links()
        assert links is not None  # `behind_link` has asked
        run_id, name = request.path_params["run"], request.path_params["job"]
        if not is_at_home(links, base_path(run_id, name), by_name(request.headers.raw)):
            return told(HTTPStatus.NOT_FOUND, _NOTHING)
        app = find_app(ledger, run_id, name)
        if app is None:
            return told(HTTPStatus.GONE, _GONE)
        headers = {**SAFE_HEADERS, "Referrer-Policy": "no-referrer"}
        answer = RedirectResponse(app.base + app.path.lstrip("/"), HTTPStatus.SEE_OTHER, headers=headers)
        answer.headers["Set-Cookie"] = cookie_for(links, app.base, at=self._shown.clock())
        return answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if self._left[kind] == 0:
            await _refuse(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Too much is asked at once.")
            return
        self._left[kind] -= 1
        try:
            await self._enter(scope, receive, send)
        finally:
            self._left[kind] += 1

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        run_id, name = scope["path_params"]["run"], scope["path_params"]["job"]
        ledger, links = self._shown.ledger(), self._shown.links()
        if ledger is None or links is None:
            await _refuse(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Come again soon.")
            return
        base, headers = base_path(run_id, name), by_name(scope["headers"])
        if not is_at_home(links, base, headers):
            await _refuse(scope, receive, send, HTTPStatus.NOT_FOUND, _NOTHING)
            return
        if not is_let_in(links, base, scope["headers"], at=self._shown.clock()):
            await _refuse(scope, receive, send, HTTPStatus.FORBIDDEN, _NO_LINK)
            return
        if not may_come(links, base, scope.get("method"), headers):
            await _refuse(scope, receive, send, HTTPStatus.FORBIDDEN, "Another site may not do that.")
            return
        try:
            app = await run_in_threadpool(find_app, ledger, run_id, name)
        except WindlassError as error:
            log.warning("apps cannot be looked up: %s", error)
            await _refuse(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Come again soon.")
            return
        if app is None:
            await _refuse(scope, receive, send, HTTPStatus.GONE, _GONE)
            return
        await _pass(scope, receive, send, app=app, links=links)


async def _pass(scope: Scope, receive: Receive, send: Send, *, app: AppAddress, links: Links) -> None:
    query: bytes = scope["query_string"]
    target: bytes = scope["raw_path"].partition(b"?")[0] + (b"?" + query if query else b"")
    if scope["type"] == "websocket":
        await receive()
        await pass_socket(scope, receive, send, app=app, target=target.decode("latin-1"))
        return
    try:
        await pass_request(scope, receive, send, app=app, links=links, target=target)
    except (AppUnreachable, TimeoutError) as error:
        log.info("the app at %s gives no answer: %s", app.base, error)
        await _refuse(scope, receive, send, HTTPStatus.BAD_GATEWAY, "The app gives no answer.")


async def _refuse(scope: Scope, receive: Receive, send: Send, status: HTTPStatus, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        is_full = status == HTTPStatus.SERVICE_UNAVAILABLE
        await send({"type": "websocket.close", "code": _TRY_AGAIN if is_full else _POLICY_VIOLATION})
        return
    await told(status, text)(scope, receive, send)
