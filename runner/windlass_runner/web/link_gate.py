"""Lets those in who have a link of ours (`web.links`); the others learn nothing, not even what there is.

For `web.artifacts` and `web.plots`: their answers are for people, so what is wrong is told in plain text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from windlass_registry.errors import WindlassError
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import LinkEnded, LinkRefused, Links

SAFE_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
_RETRY_AFTER_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What links open. `ledger` and `links` give None while the daemon waits to begin."""

    ledger: Callable[[], Ledger | None]
    links: Callable[[], Links | None]
    storage: Storage
    clock: Callable[[], float]


Answer = Callable[[Request, Ledger], Response]


def behind_link(shown: Shown, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for those whose link is good. `answer` may block."""

    def enter(request: Request) -> Response:
        ledger, links = shown.ledger(), shown.links()
        if ledger is None or links is None:
            return _later()
        try:
            links.check(request.scope["path"], request.query_params, at=shown.clock())
            return answer(request, ledger)
        except LinkRefused:
            return told(HTTPStatus.NOT_FOUND, "There is nothing here. Is the whole link in the address?")
        except LinkEnded:
            return told(HTTPStatus.GONE, "This link has ended. A re-run of the workflow makes a new one.")
        except WindlassError:
            return _later()

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(enter, request)

    return endpoint


def told(status: HTTPStatus, text: str) -> Response:
    """An answer for people to read."""
    return PlainTextResponse(f"{text}\n", status, headers=SAFE_HEADERS)


def _later() -> Response:
    response = told(HTTPStatus.SERVICE_UNAVAILABLE, "It cannot be looked up now. Come again soon.")
    response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return response
