"""The least that a server of webhooks does: check the signature, commit, answer. Run by `benchmarks.ingest`.

`python -m benchmarks.ingest_floor DATABASE SECRET` prints its port. What comes while a commit waits for the
disk goes into the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import sqlite3
import sys
from typing import Any

import uvicorn

_Waiting = list[tuple[str, bytes, "asyncio.Future[None]"]]


class Bare:
    """An ASGI application."""

    def __init__(self, database: str, secret: str) -> None:
        self._secret = secret.encode()
        self._connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE inbox (position INTEGER PRIMARY KEY, id UNIQUE, body BLOB)")
        self._waiting: _Waiting = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        body, has_more = b"", True
        while has_more:
            message = await receive()
            body, has_more = body + message["body"], message["more_body"]
        expected = b"sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest().encode()
        status = 401
        if hmac.compare_digest(headers[b"x-hub-signature-256"], expected):
            await self._keep(headers[b"x-github-delivery"].decode(), body)
            status = 202
        length = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _keep(self, id: str, body: bytes) -> None:
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((id, body, kept))
        if self._task is None:
            self._task = asyncio.create_task(self._work_off())
        await kept

    async def _work_off(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._commit, batch)
            for _, _, kept in batch:
                kept.set_result(None)
        self._task = None

    def _commit(self, batch: _Waiting) -> None:
        rows = [(id, body) for id, body, _ in batch]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR IGNORE INTO inbox (id, body) VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")


def main() -> None:
    """Serve until the process is ended."""
    listener = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # or asyncio lets Nagle wait
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        Bare(sys.argv[1], sys.argv[2]), lifespan="off", ws="none", log_config=None, access_log=False
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
