"""Apps: jobs that serve people's browsers, reached through the daemon's web part, on each engine."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from windlass_runner.daemon.apps import ToldApp, app_links, told_apps
from windlass_runner.daemon.server import address_of, listen, serving_http
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.ledger.records import JobRecord
from windlass_runner.run import app
from windlass_runner.web.apps import make_apps
from windlass_runner.web.link_gate import Shown
from windlass_runner.web.links import Links

NOW = 1_000_000_000.0
MANIFEST = """
name: Tiny
runs: {using: python, main: main.py, image: 'windlass-test/python:1'}
app: {port: 8888, path: /start, ready: /api}
"""
WORKFLOW = """
jobs:
  see: {uses: ./tiny, checkout: false, outputs: {left: {type: string}}}
"""


@dataclass
class Said:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def cookie(self) -> str:
        return self.headers["Set-Cookie"].partition(";")[0]


@dataclass
class Front:
    """The daemon's web part beside a runner, and a browser of few words."""

    runner: Any
    links: Links
    now: float = NOW

    def ask(self, url: str, method: str = "GET", body: Any = None, **headers: str) -> Said:
        parts = urlsplit(url)
        with closing(http.client.HTTPConnection(urlsplit(self.links.address).netloc, timeout=30)) as line:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            line.request(method, target, body, {name.replace("_", "-"): it for name, it in headers.items()})
            got = line.getresponse()
            return Said(got.status, got.headers, got.read())

    def link(self, run_id: str) -> str:
        run = self.runner.ledger.runs.get(run_id)
        self.runner.until(lambda: bool(app_links(self.runner.ledger, run, self.links)))
        return app_links(self.runner.ledger, run, self.links)["see"]

    def open(self, run_id: str) -> str:
        """Its cookie."""
        return self.ask(self.link(run_id)).cookie

    @contextmanager
    def socket(self, path: str, **headers: str) -> Iterator[ClientConnection]:
        url = f"ws{self.links.address.removeprefix('http')}{path}"
        with connect(url, additional_headers=headers, proxy=None, open_timeout=30) as socket:
            yield socket


@pytest.fixture
def front(runner: Any) -> Iterator[Front]:
    folder = runner.root / "tiny"
    folder.mkdir()
    (folder / "action.yml").write_text(MANIFEST)
    (folder / "main.py").write_text(Path(__file__).with_name("tiny_app.py").read_text())
    with listen(ServerSettings(port=0)) as listener:
        found = Front(runner, Links(address=address_of(listener), key=b"k" * 32))
        shown = Shown(
            ledger=lambda: runner.ledger,
            links=lambda: found.links,
            storage=runner.storage,
            clock=lambda: found.now,
        )
        with serving_http(Starlette(routes=make_apps(shown)), listener):
            yield found


def job(front: Front, run_id: str) -> JobRecord:
    return front.runner.ledger.runs.jobs(run_id)[0]


def test_a_link_opens_an_app_that_is_there_until_its_job_ends(front: Front) -> None:
    run = front.runner.begin(WORKFLOW)
    base = f"/apps/{run}/see/"
    opened = front.ask(front.link(run))
    assert (opened.status, opened.headers["Location"]) == (303, f"{base}start")
    told = opened.headers["Set-Cookie"]
    assert f"; Path={base}; " in told
    assert told.endswith("; HttpOnly; SameSite=Lax")
    cookie = opened.cookie

    page = front.ask(f"{base}start?a=1", Cookie=cookie)
    assert page.body.decode() == f"hello from {base}start?a=1"
    assert f"connect-src {front.links.address}{base} " in page.headers["Content-Security-Policy"]
    body = b"x" * 300_000
    for sent in (body, iter([body[:100], body[100:]])):
        posted = front.ask(f"{base}form", "POST", sent, Cookie=cookie)
        assert posted.body.decode() == hashlib.sha256(body).hexdigest()
    assert front.ask(f"{base}pieces", Cookie=cookie).body == b"piece 0\npiece 1\npiece 2\n"
    assert front.ask(f"{base}elsewhere", Cookie=cookie).headers["Location"] == f"{base}there"
    assert front.ask(f"{base}x", "HEAD", Cookie=cookie).body == b""

    with front.socket(f"{base}ws?id=1", Cookie=cookie, Origin=front.links.address) as socket:
        hello = json.loads(socket.recv())
        assert hello["path"] == f"{base}ws?id=1"
        socket.send("text")
        socket.send(b"bytes" * 1000)
        assert (socket.recv(), socket.recv()) == ("text", b"bytes" * 1000)

    assert job(front, run).state == "running"
    (told,) = told_apps(front.runner.ledger, front.runner.ledger.runs.get(run), front.links).values()
    assert told == ToldApp(state="open", url=None, ends_at=2_000_000_000.0)
    assert front.ask(f"{base}end", Cookie=cookie).body == b"bye"
    done = front.runner.finished(run)
    assert done.state == "success", done.log("see")
    assert done.jobs["see"].outputs["left"]["text"] == "what the app left"
    assert "the app answers; on this machine at http://" in done.log("see")
    assert app_links(front.runner.ledger, front.runner.ledger.runs.get(run), front.links) == {}
    assert front.ask(f"{base}start", Cookie=cookie).status == 410


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_nobody_comes_in_without_a_link_and_no_other_site_acts(front: Front) -> None:
    run = front.runner.begin(WORKFLOW)
    base = f"/apps/{run}/see/"
    link = front.link(run)
    cookie = front.ask(link).cookie
    assert front.ask(f"{base}start").status == 403
    assert front.ask(f"{base}start", Cookie=cookie[:-1]).status == 403
    assert front.ask(f"/apps/{run}/other/start", Cookie=cookie).status == 403
    assert front.ask(base[:-1], Cookie=cookie).status == 404
    assert front.ask(link.replace("/see?", "/see/?")).status == 403
    assert front.ask(f"{base}form", "POST", b"", Cookie=cookie, Origin="https://evil.example").status == 403
    for headers in ({}, {"Cookie": cookie, "Origin": "https://evil.example"}):
        with pytest.raises(InvalidStatus, match="403"), front.socket(f"{base}ws", **headers):
            pass
    front.now += 8 * 3600 + 1
    assert front.ask(f"{base}start", Cookie=cookie).status == 403


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_an_app_hears_nothing_of_our_cookie_and_keeps_its_own_below_its_path(front: Front) -> None:
    run = front.runner.begin(WORKFLOW)
    base = f"/apps/{run}/see/"
    cookie = front.open(run)
    answer = front.ask(
        f"{base}headers",
        Cookie=f"{cookie}; mine=2",
        Origin=front.links.address,
        Referer=front.links.address + base + "?x=1",
        Connection="close, X-Hop",
        X_Hop="1",
    )
    heard = json.loads(answer.body)
    assert heard["cookie"] == "mine=2"
    assert heard["origin"] == f"http://{heard['host']}"
    assert heard["referer"] == f"http://{heard['host']}{base}"
    assert "X-Hop".lower() not in {name.lower() for name in heard}
    assert answer.headers.get_all("Set-Cookie") == [f"own=1; Path={base}"]


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_a_socket_ends_with_its_app(front: Front) -> None:
    run = front.runner.begin(WORKFLOW)
    cookie = front.open(run)
    with front.socket(f"/apps/{run}/see/ws", Cookie=cookie) as socket:
        socket.recv()
        front.runner.conductor.cancel(run, reason="enough")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
    assert front.runner.finished(run).state == "cancelled"


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_no_app_is_opened_for_a_pull_request_of_a_fork(front: Front) -> None:
    run = front.runner.begin(WORKFLOW, kind="pull_request", is_fork=True)
    done = front.runner.finished(run)
    assert done.state == "failure"
    assert done.jobs["see"].reason.startswith("no app is opened for a pull request of a fork")


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_an_app_that_stays_silent_is_told_of(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_SILENCE_S", 0.0)
    (front.runner.root / "tiny" / "main.py").write_text("import time; time.sleep(60)")
    run = front.runner.begin(WORKFLOW)
    record = front.runner.ledger.runs.get(run)
    assert told_apps(front.runner.ledger, record, front.links)["see"].state == "starting"
    text = "the app does not answer yet; from this machine it is looked for at http://127.0.0.1:"
    front.runner.until(lambda: text in front.runner.log(run, "see"))
    assert app_links(front.runner.ledger, front.runner.ledger.runs.get(run), front.links) == {}
    front.runner.conductor.cancel(run, reason="enough")
    assert front.runner.finished(run).state == "cancelled"


def test_an_app_that_is_stopped_succeeds_with_what_it_left(front: Front) -> None:
    run = front.runner.begin(WORKFLOW)
    front.link(run)
    assert not front.runner.conductor.finish(run, "other", because="stopped by ada")
    assert front.runner.conductor.finish(run, "see", because="stopped by ada")
    done = front.runner.finished(run)
    assert (done.state, done.jobs["see"].reason) == ("success", "stopped by ada")
    assert done.jobs["see"].outputs["left"]["text"] == "what the app left"


def test_an_app_goes_on_when_the_daemon_is_killed_and_is_found_again(front: Front) -> None:
    run = front.runner.create(WORKFLOW)
    daemon = front.runner.begin_elsewhere(run)
    cookie = front.open(run)
    daemon.kill()
    daemon.wait()
    base = f"/apps/{run}/see/"
    assert front.ask(f"{base}start", Cookie=cookie).status == 200
    front.runner.conductor.begin(run)
    assert front.ask(f"{base}end", Cookie=cookie).body == b"bye"
    done = front.runner.finished(run)
    assert done.state == "success", done.log("see")
