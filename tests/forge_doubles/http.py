"""What the doubles of Gitea and GitLab share: real HTTP, a list of what was asked, and failing as told.

A double answers what its forge's documents describe, and holds whatever else is asked of it against the
caller: the fixture that opens it fails the test for each of the `violations`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit


@dataclass(kw_only=True)
class Fault:
    """What the next `times` requests of that method get in place of an answer. `raw`: these bytes and no
    more, before the connection ends."""

    method: str = ""
    times: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "told to fail"}'
    raw: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came. `path` is still quoted, without the address that comes before the API's paths."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a double says; `body` None: nothing."""

    status: int = 200
    body: Any = None


class Double:
    """One server. `prefix` is where its API begins. Subclasses give `answer`."""

    prefix = ""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.violations: list[str] = []
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Exchange, self)
        self.api_url = f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, asked: Asked) -> Answer:
        """What its documents promise."""
        raise NotImplementedError

    def allow(self, names: Mapping[str, Any], *allowed: str) -> None:
        """Hold names that the documents do not know against who uses them."""
        self.violations += [f"'{name}' is not documented" for name in sorted(set(names) - set(allowed))]

    def requests(self, method: str = "") -> list[Asked]:
        """What was asked so far, in order."""
        with self.lock:
            return [asked for asked in self.asked if method in ("", asked.method)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def take(self, asked: Asked) -> Answer | Fault:
        with self.lock:
            self.asked.append(asked)
            fault = next((one for one in self.faults if one.times and one.method in ("", asked.method)), None)
            if fault is not None:
                fault.times -= 1
                return fault
            return self.answer(asked)


D = TypeVar("D", bound=Double)


@contextmanager
def opened(make: Callable[[], D]) -> Iterator[D]:
    """A double for one test. At the end nothing may have been asked that is not documented."""
    double = make()
    try:
        yield double
    finally:
        double.close()
    assert double.violations == []


def page_of(items: list[Any], query: Mapping[str, str], *, size_name: str, most: int) -> list[Any]:
    """The page that was asked for, no larger than the server makes them."""
    size = min(int(query.get(size_name, "20")), most)
    start = (int(query.get("page", "1")) - 1) * size
    return items[start : start + size]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], exchange: type[_Exchange], double: Double) -> None:
        self.double = double
        super().__init__(address, exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a mistake of the double."""
        import sys

        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.double.violations.append(f"the double broke: {error!r}")


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def _handle(self) -> None:
        double = self.server.double
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        if not parts.path.startswith(double.prefix + "/"):
            double.violations.append(f"{parts.path} is not below {double.prefix}")
        asked = Asked(
            method=self.command,
            path=parts.path.removeprefix(double.prefix),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(content) if content else None,
        )
        found = double.take(asked)
        if isinstance(found, Fault) and found.raw is not None:
            self.close_connection = True
            with suppress(OSError):
                self.wfile.write(found.raw)
            return
        if isinstance(found, Fault):
            self._write(found.status, found.body, found.headers)
        else:
            self._write(found.status, b"" if found.body is None else json.dumps(found.body).encode(), {})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _write(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test says what it wants to know."""
