"""What strangers can hold of the daemon: so many connections, each for so long, and so much memory."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_CONNECTIONS: Final = 256
BODIES_BYTES: Final = 100 * 1024 * 1024


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which itself waits without end for the head of a request and for a client that
    does not read the answer. Whoever goes over a bound is cut off."""

    most_connections: ClassVar[int] = MOST_CONNECTIONS
    head_timeout_s: ClassVar[float] = 10.0
    """From the connection (or the last answer) to the end of the next request's head."""
    answer_timeout_s: ClassVar[float] = 60.0
    """From there to the end of the answer."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._expect_head()
        super().on_response_complete()

    def _expect_head(self) -> None:
        self._set_deadline(self.loop.call_later(self.head_timeout_s, self._expect_answer, self.cycle))

    def _expect_answer(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last:  # no request has begun since
            self.transport.abort()
        else:
            self._set_deadline(self.loop.call_later(self.answer_timeout_s, self.transport.abort))

    def _set_deadline(self, deadline: asyncio.TimerHandle) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = deadline


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
