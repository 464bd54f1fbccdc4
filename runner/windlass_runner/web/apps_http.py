"""Passes one HTTP request on to an app, and its answer back, piece by piece: neither is ever held whole.

Called by `web.apps`, for one event loop. An app that does not answer, or not with HTTP, is a 502.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import httptools
from starlette.types import Receive, Scope, Send

from windlass_runner.run.app import AppAddress
from windlass_runner.web.apps_gate import Headers, by_name, passed_back, passed_on
from windlass_runner.web.bounds import KEEP_OPEN
from windlass_runner.web.links import Links

CONNECT_TIMEOUT_S: Final = 5.0
IDLE_TIMEOUT_S: Final = 300.0
"""Between two pieces of an answer, and before its first."""
_PIECE_BYTES: Final = 64 * 1024
_LARGEST_HEAD_BYTES: Final = 256 * 1024


class AppUnreachable(Exception):
    """The app gives no answer (any more)."""


async def pass_request(
    scope: Scope, receive: Receive, send: Send, *, app: AppAddress, links: Links, target: bytes
) -> None:
    """One request and its answer. `target`: the path as the browser wrote it, with its query.

    Raises:
        AppUnreachable: nothing of an answer has been sent yet.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(app.host, app.port)
    except OSError as error:
        raise AppUnreachable(str(error)) from error
    is_chunked = "transfer-encoding" in by_name(scope["headers"])
    writer.write(_head(scope, app, target, is_chunked=is_chunked))
    sending = asyncio.create_task(_send_body(receive, writer, is_chunked=is_chunked))
    try:
        answer = _Answer(app, links, send, is_bare=scope["method"] == "HEAD")
        keep_open: Callable[[float], None] = scope["state"].get(KEEP_OPEN, lambda _seconds: None)
        await answer.read(reader, keep_open)
    except (OSError, httptools.HttpParserError) as error:
        if not answer.has_begun:
            raise AppUnreachable(str(error)) from error
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending
        writer.close()


def _head(scope: Scope, app: AppAddress, target: bytes, *, is_chunked: bool) -> bytes:
    headers = passed_on(scope["headers"], app)
    headers.append((b"connection", b"close"))
    told = by_name(scope["headers"])
    if is_chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    elif "content-length" in told:
        headers.append((b"content-length", told["content-length"].encode("latin-1")))
    lines = [scope["method"].encode("latin-1") + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join((*lines, b"", b""))


async def _send_body(receive: Receive, writer: asyncio.StreamWriter, *, is_chunked: bool) -> None:
    """The body as it comes; then wait for the browser to go away, with which the app is left alone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            writer.transport.abort()
            return
        piece = message.get("body", b"")
        if piece:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked and not message.get("more_body", False):
            writer.write(b"0\r\n\r\n")
            is_chunked = False
        await writer.drain()


class _Answer:
    """An app's answer on its way to the browser. The methods `on_…` are called by the parser."""

    def __init__(self, app: AppAddress, links: Links, send: Send, *, is_bare: bool) -> None:
        """`is_bare`: only the head comes, whatever it says."""
        self._app = app
        self._links = links
        self._send = send
        self._is_bare = is_bare
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._has_head = False
        self._is_complete = False
        self._pieces: list[bytes] = []
        self.has_begun = False
        """Whether the browser has heard something."""

    async def read(self, reader: asyncio.StreamReader, keep_open: Callable[[float], None]) -> None:
        """All of it, sent on as it comes.

        Raises:
            OSError, httptools.HttpParserError, AppUnreachable
        """
        head_bytes = 0
        while not self._is_complete:
            keep_open(IDLE_TIMEOUT_S + CONNECT_TIMEOUT_S)
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                data = await reader.read(_PIECE_BYTES)
            if not data:
                break
            self._parser.feed_data(data)
            head_bytes += 0 if self._has_head else len(data)
            if head_bytes > _LARGEST_HEAD_BYTES:
                raise AppUnreachable("the head of its answer is too large")
            await self._pass_on()
        if not self._has_head:
            raise AppUnreachable("it closed the connection")
        if self._is_complete or not self._is_told_length():
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self) -> None:
        if not self._has_head:
            return
        if not self.has_begun:
            self.has_begun = True
            status = self._parser.get_status_code()
            headers = passed_back(self._headers, self._app, self._links)
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
        pieces, self._pieces = self._pieces, []
        if pieces:
            await self._send({"type": "http.response.body", "body": b"".join(pieces), "more_body": True})

    def _is_told_length(self) -> bool:
        """Whether an end before its time can be told from its end."""
        told = by_name((name.lower(), value) for name, value in self._headers)
        return "content-length" in told or "transfer-encoding" in told

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < HTTPStatus.OK:
            self._headers.clear()  # 100, 103: the answer follows
            return
        self._has_head = True
        self._is_complete = self._is_bare

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._is_complete = self._has_head
