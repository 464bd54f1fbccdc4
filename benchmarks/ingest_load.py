"""Sends signed pushes over several connections, each as soon as the one before is answered. A process of its
own, run by `benchmarks.ingest`: `python -m benchmarks.ingest_load PORT SECRET` prints {wall_s, latencies_s}.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import selectors
import socket
import sys
import time
import uuid
from collections.abc import Iterator

from benchmarks.measuring import BenchmarkFailed

DELIVERIES = 4000
CONNECTIONS = 32
REPOSITORY = "acme/digits"
_BODY_BYTES = 8000
"""As large as GitHub's own example of a push."""


def _body() -> bytes:
    push = {
        "ref": "refs/heads/main",
        "before": "1" * 40,
        "after": "2" * 40,
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "sender": {"login": "mona"},
        "commits": [],
    }
    urls = {
        f"key_{number}_url": f"https://api.github.com/repos/{REPOSITORY}/{number}" for number in range(90)
    }
    filling = "x" * (_BODY_BYTES - len(json.dumps(push | urls)))
    return json.dumps({**push, **urls, "filling": filling}).encode()


def _requests(secret: str) -> Iterator[bytes]:
    """The same push again and again, each time as another delivery."""
    body, run = _body(), uuid.uuid4().hex
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    for number in range(DELIVERIES):
        head = (
            "POST /hooks/github HTTP/1.1\r\nHost: localhost\r\n"
            "User-Agent: GitHub-Hookshot/1\r\nAccept: */*\r\n"
            "Content-Type: application/json\r\nX-GitHub-Event: push\r\n"
            f"X-GitHub-Delivery: {run}-{number}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def _answer(connection: socket.socket) -> None:
    answer = connection.recv(65_536)
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        more = connection.recv(65_536)
        if not more:
            break
        answer += more
    if not answer.startswith(b"HTTP/1.1 202 "):
        raise BenchmarkFailed(f"a delivery was answered with {answer[:300]!r}")


def main() -> None:
    """Send them all, and print how long each took."""
    requests = list(_requests(sys.argv[2]))
    begun: dict[socket.socket, float] = {}
    latencies: list[float] = []
    selector = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        begun[connection] = 0.0
    begin = time.perf_counter()
    for connection in begun:
        begun[connection] = time.perf_counter()
        connection.sendall(requests.pop())
    while len(latencies) < DELIVERIES:
        for key, _ in selector.select():
            connection = key.fileobj  # type: ignore[assignment]
            _answer(connection)
            latencies.append(time.perf_counter() - begun[connection])
            if requests:
                begun[connection] = time.perf_counter()
                connection.sendall(requests.pop())
    print(json.dumps({"wall_s": time.perf_counter() - begin, "latencies_s": latencies}))


if __name__ == "__main__":
    main()
