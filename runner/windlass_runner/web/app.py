"""The daemon over HTTP: webhooks and health. Made by `daemon.server`; talks to it through two functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024
"""GitHub's own limit for what it sends (https://docs.github.com/en/webhooks)."""
BODY_TIMEOUT_S: Final = 30.0
RETRY_AFTER_S: Final = 5

Reply = tuple[int, dict[str, Any]]
Receive = Callable[[Mapping[str, str], bytes], Reply]


def make_app(*, receive_git: Receive, health: Callable[[], Reply]) -> Starlette:
    """The application. Both functions may block, and are called from several threads."""

    async def healthz(_request: Request) -> Response:
        status, data = await run_in_threadpool(health)
        return JSONResponse(data, status, headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/hooks/git", _hook(receive_git), methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ]
    )


def _hook(receive: Receive) -> Callable[[Request], Awaitable[Response]]:
    async def hook(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read_body(request)
        except TimeoutError:
            return _closing(408, "the body took too long")
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _closing(413, f"more than {LARGEST_BODY_BYTES:,} bytes")
        status, data = await run_in_threadpool(receive, dict(request.headers), body)
        later = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return JSONResponse(data, status, headers=later)

    return hook


async def _read_body(request: Request) -> bytes | None:
    """The body, or None where it is too large. Of such a one nothing is kept, and the rest is read
    for a while, so that a client that is still sending sees the answer and not a broken pipe."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and "expect" in request.headers and int(told) > LARGEST_BODY_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= LARGEST_BODY_BYTES:
            parts.append(part)
        else:
            parts.clear()
        if size > 4 * LARGEST_BODY_BYTES:
            return None
    return b"".join(parts) if size <= LARGEST_BODY_BYTES else None


def _closing(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers={"Connection": "close"})
