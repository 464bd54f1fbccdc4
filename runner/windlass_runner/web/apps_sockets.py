"""Passes one WebSocket on to an app, message by message in both directions. Called by `web.apps`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from windlass_runner.run.app import AppAddress
from windlass_runner.web.apps_gate import passed_on

LARGEST_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Of a message in either direction; what is larger ends the socket."""
_OPEN_TIMEOUT_S: Final = 10.0
_OF_THE_HANDSHAKE: Final = b"sec-websocket-"
_REFUSED: Final = 1011
_GONE: Final = (1005, 1006, 1015)
"""Codes that stand for an end without one, and are never sent."""


async def pass_socket(scope: Scope, receive: Receive, send: Send, *, app: AppAddress, target: str) -> None:
    """One WebSocket, until either side ends it. Its opening message has been received.

    `target`: the path as the browser wrote it, with its query.
    """
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in passed_on(scope["headers"], app)
        if not name.startswith(_OF_THE_HANDSHAKE) and name not in (b"host", b"user-agent")
    ]
    try:
        socket = await connect(
            f"ws://{app.host}:{app.port}{target}",
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in scope.get("subprotocols", ())] or None,
            user_agent_header=None,
            compression=None,
            proxy=None,
            open_timeout=_OPEN_TIMEOUT_S,
            ping_interval=None,
            max_size=LARGEST_MESSAGE_BYTES,
            max_queue=4,
        )
    except (OSError, WebSocketException):
        await send({"type": "websocket.close", "code": _REFUSED})
        return
    async with socket:
        await send({"type": "websocket.accept", "subprotocol": socket.subprotocol})
        inward = asyncio.create_task(_inward(receive, socket))
        outward = asyncio.create_task(_outward(socket, send))
        try:
            await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
        finally:
            inward.cancel()
            outward.cancel()
            await asyncio.gather(inward, outward, return_exceptions=True)  # one side has gone: no news


async def _inward(receive: Receive, socket: ClientConnection) -> None:
    """From the browser to the app, until the browser goes."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or 1000
                await socket.close(1000 if code in _GONE else code)
                return
            text, data = message.get("text"), message.get("bytes")
            await socket.send(text if text is not None else data or b"")


async def _outward(socket: ClientConnection, send: Send) -> None:
    """From the app to the browser, until the app goes."""
    try:
        async for message in socket:
            kind = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", kind: message})
    except ConnectionClosed:
        pass
    code = socket.close_code or 1000
    with contextlib.suppress(RuntimeError, OSError):  # the browser has gone meanwhile
        await send({"type": "websocket.close", "code": 1001 if code in _GONE else code})
