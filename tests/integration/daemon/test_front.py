"""The HTTP front against clients that are slow, large, many or wrong: raw sockets, a real server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from windlass_runner.daemon.server import listen, serving_http
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.web.app import LARGEST_BODY_BYTES, Received, Reply, make_app
from windlass_runner.web.bounds import BoundedProtocol

pytestmark = pytest.mark.timeout(120)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Impatient(BoundedProtocol):
    """Waits for moments where the daemon waits for seconds."""

    head_timeout_s: ClassVar[float] = 0.5
    answer_timeout_s: ClassVar[float] = 1.5


class Few(BoundedProtocol):
    """All patience, and four connections."""

    most_connections: ClassVar[int] = 4


@dataclass
class Front:
    """Where it listens."""

    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, *pieces: bytes) -> bytes:
        """What is answered until the connection is closed; b"" where it is cut off."""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
            return _until_closed(connection)
        return b""


def _until_closed(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def _hook(length: int, *more: bytes) -> bytes:
    lines = [b"POST /hooks/git HTTP/1.1", b"Host: x", b"Content-Length: %d" % length, *more]
    return b"\r\n".join([*lines, b"", b""])


def _receive(received: Sequence[Received]) -> list[Reply]:
    return [(202, {"size": len(body)}) for _headers, body in received]


@contextlib.contextmanager
def served(
    *, protocol: type[BoundedProtocol] = BoundedProtocol, receive: Any = _receive, bodies_bytes: int = 10**8
) -> Iterator[Front]:
    app = make_app(hooks={"git": receive}, health=lambda: (200, {"status": "ok"}), bodies_bytes=bodies_bytes)
    with listen(ServerSettings(port=0)) as listener, serving_http(app, listener, protocol=protocol):
        yield Front(port=listener.getsockname()[1])


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"GET /healthz HTTP/1.1\r\nHost:"],
        [HEALTH.replace(b"Connection: close\r\n", b""), b"GET /heal"],
        [_hook(10), b"{"],
    ],
    ids=["silent", "half a head", "half a second head", "half a body"],
)
def test_who_does_not_go_on_is_cut_off(pieces: list[bytes]) -> None:
    with served(protocol=Impatient) as front:
        answer = front.ask(*pieces)
        assert answer.count(b"HTTP/1.1 200 OK") == (len(pieces) == 2 and pieces[1] == b"GET /heal")
        assert front.ask(HEALTH).startswith(b"HTTP/1.1 200 ")


def test_an_answers_body_does_not_wait_for_the_client_to_acknowledge_its_head() -> None:
    with listen(ServerSettings(port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # without it asyncio leaves TCP_NODELAY off


def test_who_does_not_read_the_answer_is_cut_off() -> None:
    def receive(received: Sequence[Received]) -> list[Reply]:
        return [(202, {"padding": "x" * 10_000_000}) for _ in received]

    with served(protocol=Impatient, receive=receive) as front, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # later, and the window would shrink
        connection.settimeout(60)
        connection.connect(("127.0.0.1", front.port))
        connection.sendall(_hook(2) + b"{}")
        with pytest.raises(ConnectionError):
            _send_on(connection, b"G")


def test_who_asks_without_end_before_anything_is_answered_is_cut_off() -> None:
    with served() as front, front.connect() as connection, pytest.raises(ConnectionError):
        _send_on(connection, HEALTH.replace(b"Connection: close\r\n", b"") * 1000)


def _send_on(connection: socket.socket, data: bytes) -> None:
    pause = threading.Event()
    while True:
        connection.sendall(data)
        pause.wait(0.02)


def test_more_connections_than_are_served_are_cut_off_and_the_others_answered() -> None:
    with served(protocol=Few) as front, contextlib.ExitStack() as exits:
        held = [exits.enter_context(front.connect()) for _ in range(4)]
        for connection in held:  # each is known to be taken before the fifth comes
            connection.sendall(HEALTH.replace(b"close", b"keep-alive"))
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connection.recv(65_536)
        assert front.ask(HEALTH) == b""
        for connection in held:
            connection.sendall(HEALTH)
            assert _until_closed(connection).startswith(b"HTTP/1.1 200 ")
        assert front.ask(HEALTH).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("cut", [10**9, 300_000, 7])
def test_requests_follow_one_another_however_they_are_cut(cut: int) -> None:
    first = _hook(200_000) + b"x" * 200_000
    chunked = b"POST /hooks/git HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    second = chunked + b"5\r\nhello\r\n0\r\nX-Trailer: evil\r\n\r\n"
    sent = first + second + _hook(3, b"Connection: close") + b"end"
    with served() as front:
        answer = front.ask(sent[:cut], sent[cut:])
    assert answer.count(b"HTTP/1.1 202 ") == 3
    assert [part in answer for part in (b'{"size":200000}', b'{"size":5}', b'{"size":3}')] == [True] * 3


def test_bodies_take_no_more_memory_than_there_is_for_them() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def receive(received: Sequence[Received]) -> list[Reply]:
        begun.set()
        assert may_end.wait(60)
        return _receive(received)

    with served(receive=receive, bodies_bytes=1000) as front, front.connect() as first:
        first.sendall(_hook(600, b"Connection: close") + b"x" * 600)
        assert begun.wait(60)
        second = front.ask(_hook(600, b"Connection: close") + b"x" * 600)
        assert second.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in second
        may_end.set()
        assert _until_closed(first).startswith(b"HTTP/1.1 202 ")
        third = front.ask(_hook(1000, b"Connection: close") + b"x" * 1000)
        assert third.endswith(b'{"size":1000}')


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_hook(10**11), 413),
        (_hook(LARGEST_BODY_BYTES + 1, b"Expect: 100-continue"), 413),
        (b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 100_000, 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (_hook(-1), 400),
        (HEALTH.replace(b"GET", b"DELETE"), 405),
        (HEALTH.replace(b"/healthz", b"/hooks/git"), 405),
        (HEALTH.replace(b"/healthz", b"/healthz/"), 404),
        (HEALTH.replace(b"/healthz", b"/x%0d%0aX-Evil:%201"), 404),
    ],
)
def test_what_is_wrong_is_answered_and_nothing_of_it_repeated(request_: bytes, status: int) -> None:
    with served() as front:
        head, _, body = front.ask(request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert not any(word in (head + body).lower() for word in (b"evil", b"location", b"traceback"))
