"""What stands between browsers and apps, with apps that misbehave: sockets that answer as a test says."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from windlass_runner.daemon.server import address_of, listen, serving_http
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.run.app import AppAddress
from windlass_runner.web import apps
from windlass_runner.web.apps import make_apps, only_apps_at
from windlass_runner.web.apps_gate import cookie_for
from windlass_runner.web.bounds import BoundedProtocol
from windlass_runner.web.link_gate import Shown
from windlass_runner.web.links import Links, app_url

BASE = "/apps/run/job/"
Says = Callable[[socket.socket], None]


class Attempts:
    """As much of a ledger as is asked: one app."""

    def __init__(self, app: AppAddress) -> None:
        self.runs = self
        self.app = app

    def attempts(self, _run: str) -> list[Any]:
        class Attempt:
            state, job_key, detail = "started", "job", {"app": self.app.to_json()}

        return [Attempt]


@contextmanager
def app_that(says: Says) -> Iterator[AppAddress]:
    """Each connection is handed to `says` once its request's head has come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += connection.recv(65_536)
                    says(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield AppAddress(host="127.0.0.1", port=listener.getsockname()[1], base=BASE, path="/")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@dataclass
class Front:
    address: str
    cookie: str
    links: Links

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=20)

    def get(self, path: str = BASE, **headers: str) -> tuple[int, bytes]:
        with closing(self.connection()) as line:
            line.request("GET", path, headers={"Cookie": self.cookie, **headers})
            got = line.getresponse()
            return got.status, got.read()


@contextmanager
def front_of(
    app: AppAddress, *, wrap: Callable[[ASGIApp], ASGIApp] = lambda it: it, apps_url: str | None = None
) -> Iterator[Front]:
    with listen(ServerSettings(port=0)) as listener:
        links = Links(address=address_of(listener), key=b"k" * 32)
        if apps_url is not None:
            links = replace(links, apps_address=apps_url)
        ledger: Any = Attempts(app)
        shown: Any = Shown(ledger=lambda: ledger, links=lambda: links, storage=None, clock=lambda: 0.0)

        async def other(_request: Request) -> Response:
            return PlainTextResponse("the daemon")

        routes = [Route("/healthz", other), *make_apps(shown)]

        class Short(BoundedProtocol):
            answer_timeout_s = 20.0

        with serving_http(wrap(Starlette(routes=routes)), listener, protocol=Short):
            cookie = cookie_for(links, BASE, at=0.0).partition(";")[0]
            yield Front(address_of(listener), cookie, links)


def says(answer: bytes) -> Says:
    return lambda connection: connection.sendall(answer)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000],
    ids=["none", "other", "head"],
)
def test_an_app_that_does_not_speak_http_gives_no_answer(answer: bytes) -> None:
    with app_that(says(answer)) as app, front_of(app) as front:
        assert front.get() == (502, b"The app gives no answer.\n")


def test_an_app_that_is_not_there_gives_no_answer() -> None:
    with app_that(says(b"")) as app:
        pass
    with front_of(app) as front:
        assert front.get() == (502, b"The app gives no answer.\n")
        with (
            pytest.raises(InvalidStatus, match="403"),
            connect(
                f"ws{front.address.removeprefix('http')}{BASE}",
                additional_headers={"Cookie": front.cookie},
                proxy=None,
            ),
        ):
            pass


def test_what_comes_before_an_answer_is_left_out_and_one_without_a_length_ends_with_its_connection() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end"
    with app_that(says(answer)) as app, front_of(app) as front:
        assert front.get() == (200, b"to the end")


def test_an_answer_that_is_cut_is_not_taken_for_a_whole_one() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with (
        app_that(says(half)) as app,
        front_of(app) as front,
        pytest.raises(http.client.IncompleteRead),
    ):
        front.get()


def test_a_socket_that_nobody_serves_is_refused_and_its_connection_closed() -> None:
    head = (
        "GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with app_that(says(b"")) as app, front_of(app) as front:
        host, port = urlsplit(front.address).netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(head.encode())
            answer = b"".join(iter(lambda: line.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_who_goes_away_is_gone_for_the_app_too() -> None:
    gone = threading.Event()

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        try:
            while connection.recv(1):
                pass
        except OSError:
            pass
        gone.set()

    with app_that(endless) as app, front_of(app) as front:
        line = front.connection()
        line.request("GET", BASE, headers={"Cookie": front.cookie})
        got = line.getresponse()
        assert got.read(5) == b"begun"
        got.close()
        line.close()
        assert gone.wait(20)


def test_so_many_are_let_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "MOST_REQUESTS", 1)
    held, go = threading.Event(), threading.Event()

    def waits(connection: socket.socket) -> None:
        held.set()
        go.wait(20)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with app_that(waits) as app, front_of(app) as front, closing(front.connection()) as first:
        first.request("GET", BASE, headers={"Cookie": front.cookie})
        assert held.wait(20)
        assert front.get() == (503, b"Too much is asked at once.\n")
        go.set()
        assert first.getresponse().status == 204
        assert front.get()[0] == 204


def test_a_host_name_for_apps_shows_apps_alone_and_the_others_none() -> None:
    url = "http://apps.example.org"
    with (
        app_that(says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")) as app,
        front_of(app, wrap=lambda it: only_apps_at(url, it), apps_url=url) as front,
    ):
        assert front.get(Host="apps.example.org") == (200, b"yes")
        assert front.get() == (404, b"There is nothing here.\n")
        assert front.get("/healthz") == (200, b"the daemon")
        assert front.get("/healthz", Host="apps.example.org")[0] == 404


@contextmanager
def own_host() -> Iterator[tuple[Front, str]]:
    """An app with a host name of its own, and that name."""
    url = "https://*.apps.example.org"
    with (
        app_that(says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")) as app,
        front_of(app, wrap=lambda it: only_apps_at(url, it), apps_url=url) as front,
    ):
        yield front, urlsplit(front.links.app_address(BASE)).netloc


def test_each_app_is_shown_under_its_own_host_name_alone() -> None:
    with own_host() as (front, host):
        assert re.fullmatch("[a-z2-7]{32}[.]apps[.]example[.]org", host)
        link = app_url(front.links, "run", "job", since=0.0)
        assert link.startswith(f"https://{host}/apps/run/job?")
        path = f"{urlsplit(link).path}?{urlsplit(link).query}"
        told = cookie_for(front.links, BASE, at=0.0)
        assert told.startswith("__Host-windlass-app=")
        assert told.endswith("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure")
        assert front.get(path, Host=host)[0] == 303
        assert front.get(Host=host.upper()) == (200, b"yes")
        other = urlsplit(front.links.app_address("/apps/run/other/")).netloc
        for asked in (other, "x.apps.example.org", "*.apps.example.org", urlsplit(front.address).netloc):
            assert front.get(Host=asked) == (404, b"There is nothing here.\n")
            assert front.get(path, Host=asked)[0] == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
    ],
)
def test_pages_of_another_app_read_nothing_though_browsers_send_the_cookie(
    headers: dict[str, str], status: int
) -> None:
    with own_host() as (front, host):
        assert front.get(Host=host, **headers)[0] == status


def test_pages_of_another_app_write_nothing() -> None:
    with own_host() as (front, host), closing(front.connection()) as line:
        for origin, status in ((f"https://{host}", 200), (f"http://{host}", 403), ("null", 403)):
            line.request("POST", BASE, b"", {"Cookie": front.cookie, "Host": host, "Origin": origin})
            got = line.getresponse()
            got.read()
            assert got.status == status


def test_an_app_is_shown_in_no_other_page_and_other_sites_learn_nothing_of_where_it_is() -> None:
    with own_host() as (front, host), closing(front.connection()) as line:
        line.request("GET", BASE, headers={"Cookie": front.cookie, "Host": host})
        got = line.getresponse()
        assert got.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        assert got.headers["Referrer-Policy"] == "same-origin"
