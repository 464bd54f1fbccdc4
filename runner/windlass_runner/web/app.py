"""The daemon over HTTP: webhooks and health. Made by `daemon.server`; talks to it through two functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Scope, Send
from starlette.types import Receive as ASGIReceive

from windlass_runner.web.bounds import BODIES_BYTES, Room
from windlass_runner.web.gathering import Gathering

LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024
"""GitHub's own limit for what it sends (https://docs.github.com/en/webhooks)."""
BODY_TIMEOUT_S: Final = 30.0
RETRY_AFTER_S: Final = 5
_READ_ON_BYTES: Final = 4 * LARGEST_BODY_BYTES
"""How much of a body that is too large is read, so that a client that is still sending sees the answer."""

Reply = tuple[int, dict[str, Any]]
Received = tuple[Mapping[str, str], bytes]
"""Headers with lower-case names, and a body."""
Receive = Callable[[Sequence[Received]], Sequence[Reply]]


def make_app(
    *,
    hooks: Mapping[str, Receive],
    health: Callable[[], Reply],
    parts: Iterable[BaseRoute] = (),
    bodies_bytes: int = BODIES_BYTES,
) -> ASGIApp:
    """The application; `hooks` by the forge's name, `parts` as they are. The functions may block, and are
    called from several threads; a hook gets what comes while it is at work in one go afterwards.
    `bodies_bytes`: what all deliveries that are being read may take together."""

    async def healthz(_request: Request) -> Response:
        status, data = await run_in_threadpool(health)
        return JSONResponse(data, status, headers={"Cache-Control": "no-store"})

    room = Room(bodies_bytes)
    taking = {f"/hooks/{name}": _hook(hook, room) for name, hook in hooks.items()}
    app = Starlette(
        routes=[
            *(Route(path, hook, methods=["POST"]) for path, hook in taking.items()),
            Route("/healthz", healthz, methods=["GET"]),
            *parts,
        ]
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host that the client made up

    async def front(scope: Scope, receive: ASGIReceive, send: Send) -> None:
        """Deliveries go the short way: what Starlette does around a route takes as long as all of theirs."""
        hook = taking.get(scope.get("path", "")) if scope.get("method") == "POST" else None
        if hook is None:
            await app(scope, receive, send)
        else:
            answer = await hook(Request(scope, receive))
            await answer(scope, receive, send)

    return front


def _hook(receive: Receive, room: Room) -> Callable[[Request], Awaitable[Response]]:
    received = Gathering(receive)

    async def hook(request: Request) -> Response:
        body = _Body(room)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await body.read(request)
            status, data = await received.do((dict(request.headers), body.take()))
        except TimeoutError:
            return _closing(HTTPStatus.REQUEST_TIMEOUT, "the body took too long")
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except _TooLarge:
            return _closing(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY_BYTES:,} bytes")
        except _NoRoom:
            return _closing(
                HTTPStatus.SERVICE_UNAVAILABLE, "too much is being sent at once; send it again later"
            )
        finally:
            body.close()
        return JSONResponse(data, status, headers=_more(status))

    return hook


class _TooLarge(Exception):
    """The body is larger than any that is read."""


class _NoRoom(Exception):
    """Other bodies take the memory."""


class _Body:
    """One body on its way in. What it takes of the room it gives back at `close`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._parts: list[bytes] = []
        self._held_bytes = 0

    async def read(self, request: Request) -> None:
        """Raises _TooLarge, _NoRoom, ClientDisconnect."""
        told_bytes = _told_bytes(request)
        if told_bytes > _READ_ON_BYTES or ("expect" in request.headers and told_bytes > LARGEST_BODY_BYTES):
            raise _TooLarge
        size_bytes = 0
        async for part in request.stream():
            size_bytes += len(part)
            if size_bytes <= LARGEST_BODY_BYTES:
                self._keep(part)
            else:
                self.close()
            if size_bytes > _READ_ON_BYTES:
                break
        if size_bytes > LARGEST_BODY_BYTES:
            raise _TooLarge

    def take(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)

    def close(self) -> None:
        """Let go of what was read."""
        self._parts.clear()
        self._room.give_back(self._held_bytes)
        self._held_bytes = 0

    def _keep(self, part: bytes) -> None:
        if not self._room.take(len(part)):
            raise _NoRoom
        self._held_bytes += len(part)
        self._parts.append(part)


def _told_bytes(request: Request) -> int:
    told = request.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


def _closing(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers={"Connection": "close", **_more(status)})


def _more(status: int) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
