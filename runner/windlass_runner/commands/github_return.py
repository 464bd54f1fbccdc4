"""The page on this machine that a browser leaves for GitHub, and to which it comes back with a code.

It listens on the loopback address alone. What comes back must be for this very address (no other site may
speak to it under a name of its own) and bring the words that the page sent along, which nobody else knows;
they are good for once.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from windlass_registry.errors import OperatorError, WindlassError
from windlass_runner.commands.github_html import POLICY, problem_page

HOST: Final = "127.0.0.1"
_RETURN_PATH: Final = "/callback"
_SLOWEST_CLIENT_S: Final = 20
_LONGEST_CODE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer to a browser. `is_last`: nothing is awaited after it."""

    status: HTTPStatus
    html: str
    is_last: bool = False


class ReturnPage:
    """Serves while it is entered. `state` is what the browser must bring back with the code."""

    def __init__(self, *, port: int = 0) -> None:
        """Raises OperatorError: the port is taken."""
        self.state = secrets.token_urlsafe(32)
        self._start: Callable[[], str] = str
        self._take: Callable[[str], str] | None = None
        self._error: Exception | None = None
        self._is_used = False
        self._ended = threading.Event()
        self._turn = threading.Lock()
        try:
            self._server = _Server((HOST, port), self)
        except OSError as error:
            raise OperatorError(
                f"port {port} cannot be used: {error.strerror}", remedy="choose another with --port"
            ) from error
        self.port: int = self._server.server_address[1]
        self.address = f"http://{HOST}:{self.port}/"
        self.return_to = f"http://{HOST}:{self.port}{_RETURN_PATH}"

    def open(self, *, start: Callable[[], str], take: Callable[[str], str]) -> None:
        """Begin to serve. `start` gives the first page; `take` is given the code, once, in another thread,
        and gives the last page. What it raises, `wait` raises."""
        self._start, self._take = start, take
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> ReturnPage:
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for what was begun with a code, so that no key is lost on its way to the disk."""
        if self._take is not None:
            self._server.shutdown()
        with self._turn:
            self._take = None
        self._server.server_close()

    def wait(self, limit_s: float) -> None:
        """Until a browser came back and all was done with the code.

        Raises:
            OperatorError: nobody came back in time.
        """
        if not self._ended.wait(limit_s):
            raise OperatorError(
                f"nobody came back from GitHub within {limit_s:.0f} s",
                remedy="begin again; --timeout gives more time",
            )
        if self._error is not None:
            raise self._error

    def answer(self, target: str, host: str | None) -> Page:
        """What a browser is answered to a GET, by its target and its header `Host`."""
        if host not in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
            return _problem(HTTPStatus.MISDIRECTED_REQUEST, "Not this address", f"Open {self.address}.")
        parts = urlsplit(target)
        if parts.path not in ("/", _RETURN_PATH):
            return _problem(HTTPStatus.NOT_FOUND, "Nothing here", f"Begin at {self.address}.")
        with self._turn:
            if self._take is None or self._is_used:
                return _problem(HTTPStatus.GONE, "Done already", "Go on in the terminal.")
            if parts.path == "/":
                return Page(status=HTTPStatus.OK, html=self._start())
            return self._come_back(parse_qs(parts.query), self._take)

    def _come_back(self, query: dict[str, list[str]], take: Callable[[str], str]) -> Page:
        [state], [code] = query.get("state", [""])[:1], query.get("code", [""])[:1]
        if not secrets.compare_digest(state.encode(), self.state.encode()):
            text = f"This did not begin here, or it was another try. Begin again at {self.address}."
            return _problem(HTTPStatus.FORBIDDEN, "Not what was begun here", text)
        if not code or len(code) > _LONGEST_CODE:
            text = f"GitHub sent no code. Begin again at {self.address}."
            return _problem(HTTPStatus.BAD_REQUEST, "There is no code", text)
        self._is_used = True
        try:
            return Page(status=HTTPStatus.OK, html=take(code), is_last=True)
        except WindlassError as error:
            self._error, text = error, str(error)
        except Exception as error:  # `wait` raises it where somebody sees it
            self._error, text = error, "See the terminal."
        return _problem(HTTPStatus.BAD_GATEWAY, "That did not work", text, is_last=True)

    def sent(self, page: Page) -> None:
        """The browser has its answer, or is gone."""
        if page.is_last:
            self._ended.set()


def _problem(status: HTTPStatus, title: str, text: str, *, is_last: bool = False) -> Page:
    return Page(status=status, html=problem_page(title, text), is_last=is_last)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: ReturnPage) -> None:
        self.pages = pages
        super().__init__(address, _Exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser may go away."""


class _Exchange(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SLOWEST_CLIENT_S

    def do_GET(self) -> None:
        page = self.server.pages.answer(self.path, self.headers.get("Host"))
        try:
            self._write(page)
        finally:
            self.server.pages.sent(page)

    def _write(self, page: Page) -> None:
        content = page.html.encode()
        self.send_response_only(page.status)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(content)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the code stands in the request line."""
