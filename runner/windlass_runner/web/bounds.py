"""What strangers can hold of the daemon: so many connections, each for so long, and so much memory."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_CONNECTIONS: Final = 256
MOST_AHEAD: Final = 32
"""So many requests may be sent on one connection before the first is answered."""
LARGEST_HEAD_BYTES: Final = 64 * 1024
KEEP_OPEN: Final = "windlass.keep_open"
"""In the `state` of a request: gives its answer so many seconds more, where that rightly takes longer."""
BODIES_BYTES: Final = 100 * 1024 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which itself waits without end for the head of a request and for a client that
    does not read the answer, and takes heads of any size. Whoever goes over a bound is cut off."""

    most_connections: ClassVar[int] = MOST_CONNECTIONS
    head_timeout_s: ClassVar[float] = 10.0
    """From the connection (or the last answer) to the end of the next request's head."""
    answer_timeout_s: ClassVar[float] = 60.0
    """From there to the end of the answer."""
    _cut_off_at: float
    _timer: asyncio.TimerHandle
    _is_in_head = True
    _head_bytes = 0
    """Of the head that is not complete yet, without a piece that held the end of another request."""
    _heads = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        self._allow(self.head_timeout_s)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_in_head, heads = self._is_in_head, self._heads
        super().data_received(data)
        if was_in_head and heads == self._heads:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._is_in_head, self._head_bytes = False, 0
        self._heads += 1
        self._allow(self.answer_timeout_s)
        super().on_headers_complete()
        self.scope["state"][KEEP_OPEN] = self._allow
        if len(self.pipeline) > MOST_AHEAD:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:
            super().on_header(name, value)  # else it is behind a body that came in chunks: of no use to us

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._allow(self.answer_timeout_s)
            super().on_response_complete()
            return
        self._allow(self.head_timeout_s)  # what uvicorn would set another timer for
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def handle_websocket_upgrade(self) -> None:
        """From here on another protocol has the connection; those who ask are few (`web.apps`)."""
        self._timer.cancel()
        super().handle_websocket_upgrade()

    def _allow(self, seconds: float) -> None:
        """Cut the connection off unless the next step comes in this time."""
        self._cut_off_at = self.loop.time() + seconds

    def _look(self) -> None:
        """One timer for a connection: one for each step would take longer than all the other bounds."""
        left_s = self._cut_off_at - self.loop.time()
        if left_s <= 0:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(min(left_s, self.head_timeout_s), self._look)


class Room:
    """The memory that all bodies may take together. For one event loop's thread."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes

    def take(self, size_bytes: int) -> bool:
        """Take so much of it; False (and nothing is taken) where less is left."""
        if size_bytes > self._left_bytes:
            return False
        self._left_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Undo `take`."""
        self._left_bytes += size_bytes
