"""Sends signed pushes over several connections, each as soon as the one before is answered; or, with `alone`,
one at a time to a server that rests, each over a connection of its own. A process of its own, run by
`benchmarks.ingest`: `python -m benchmarks.ingest_load PORT SECRET [alone]` prints {wall_s, latencies_s}.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import selectors
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator

from benchmarks.measuring import BenchmarkFailed

DELIVERIES = 4000
CONNECTIONS = 32
ALONE = 100
REPOSITORY = "acme/digits"
_PAUSE_S = 0.02
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


def _requests(secret: str, count: int) -> Iterator[bytes]:
    """The same push again and again, each time as another delivery."""
    body, run = _body(), uuid.uuid4().hex
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    for number in range(count):
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


def _send_alone(port: int, requests: list[bytes]) -> list[float]:
    """How long each took, from before its connection is made."""
    latencies, pause = [], threading.Event()
    for request in requests:
        pause.wait(_PAUSE_S)
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            _answer(connection)
        latencies.append(time.perf_counter() - begin)
    return latencies


def _send_many(port: int, requests: list[bytes]) -> list[float]:
    """How long each took. Takes the requests away."""
    begun: dict[socket.socket, float] = {}
    latencies: list[float] = []
    selector = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
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
    return latencies


def main() -> None:
    """Send them all, and print how long each took."""
    port, secret, is_alone = int(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["alone"]
    requests = list(_requests(secret, ALONE if is_alone else DELIVERIES))
    begin = time.perf_counter()
    latencies = _send_alone(port, requests) if is_alone else _send_many(port, requests)
    print(json.dumps({"wall_s": time.perf_counter() - begin, "latencies_s": latencies}))


if __name__ == "__main__":
    main()
