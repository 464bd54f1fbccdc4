"""The daemon over HTTP: webhooks and health. Made by `daemon.server`; talks to it through two functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
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
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

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

    async def healthz(_request: Request) -> JSONResponse:
        status, data = await run_in_threadpool(health)
        return JSONResponse(data, status, headers={"Cache-Control": "no-store"})

    room = Room(bodies_bytes)
    taking = {f"/hooks/{name}": _Hook(hook, room) for name, hook in hooks.items()}
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
        await (hook or app)(scope, receive, send)

    return front


class _Hook:
    """Where one forge sends its deliveries: an application by itself, without what Starlette does around
    its routes."""

    def __init__(self, receive: Receive, room: Room) -> None:
        self._received = Gathering(receive)
        self._room = room

    async def __call__(self, scope: Scope, receive: ASGIReceive, send: Send) -> None:
        headers = _headers(scope)
        body = _Body(self._room)
        try:
            await body.read(headers, receive)
            status, data = await self._received.do((headers, body.take()))
        except _BodyRefused as refused:
            await _answer(send, refused.status, {"error": str(refused)}, closes=True)
        except ClientDisconnect:
            return
        else:
            await _answer(send, status, data)
        finally:
            body.close()


class _BodyRefused(Exception):
    """The body is not read to its end."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Body:
    """One body on its way in. What it takes of the room it gives back at `close`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._parts: list[bytes] = []
        self._held_bytes = 0

    async def read(self, headers: Mapping[str, str], receive: ASGIReceive) -> None:
        """Raises _BodyRefused, ClientDisconnect."""
        told_bytes = _told_bytes(headers)
        if told_bytes > _READ_ON_BYTES or ("expect" in headers and told_bytes > LARGEST_BODY_BYTES):
            raise _too_large()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await self._read_on(receive)
        except TimeoutError:
            raise _BodyRefused(HTTPStatus.REQUEST_TIMEOUT, "the body took too long") from None

    def take(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)

    def close(self) -> None:
        """Let go of what was read."""
        self._parts.clear()
        self._room.give_back(self._held_bytes)
        self._held_bytes = 0

    async def _read_on(self, receive: ASGIReceive) -> None:
        size_bytes, has_more = 0, True
        while has_more and size_bytes <= _READ_ON_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part, has_more = message["body"], message["more_body"]
            size_bytes += len(part)
            if size_bytes <= LARGEST_BODY_BYTES:
                self._keep(part)
            else:
                self.close()
        if size_bytes > LARGEST_BODY_BYTES:
            raise _too_large()

    def _keep(self, part: bytes) -> None:
        if not self._room.take(len(part)):
            why = "too much is being sent at once; send it again later"
            raise _BodyRefused(HTTPStatus.SERVICE_UNAVAILABLE, why)
        self._held_bytes += len(part)
        self._parts.append(part)


def _too_large() -> _BodyRefused:
    return _BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY_BYTES:,} bytes")


def _headers(scope: Scope) -> dict[str, str]:
    """By their names; of those that come twice the first counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _told_bytes(headers: Mapping[str, str]) -> int:
    told = headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


async def _answer(send: Send, status: int, data: Mapping[str, Any], *, closes: bool = False) -> None:
    body = _encode(data).encode()
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
