from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from windlass_runner.commands.daemon_health import fetch_health
from windlass_runner.commands.network_checks import check_address
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.settings import ServerSettings, Settings, StorageSettings


@contextmanager
def answering(body: bytes) -> Iterator[ServerSettings]:
    """A server that says this, whatever it is asked."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield ServerSettings(port=server.server_address[1])
        server.shutdown()
        thread.join()


def test_what_github_refuses_the_daemon_is_told_by_whom_it_concerns() -> None:
    repository = {
        "name": "acme/digits",
        "poll_error": None,
        "comment_error": "no comment on #7: 403\x1b[31m",
        "reconcile_error": "no answer",
    }
    told = {"problems": ["a", "b"], "repositories": [repository], "credentials": {"app": "no key"}}
    with answering(json.dumps(told).encode()) as server:
        found = fetch_health(server)
    assert found is not None
    assert found.problems == ("a", "b")
    assert found.troubles(["acme/digits"]) == [
        "acme/digits: no comment on #7: 403",
        "acme/digits: no answer",
    ]
    assert found.troubles(["app", "other"]) == ["app: no key"]


def test_what_is_no_daemon_says_nothing() -> None:
    with answering(b"<html>") as server:
        assert fetch_health(server) is None
    assert fetch_health(server) is None


def test_the_address_is_told_for_each_forge(tmp_path: Path) -> None:
    def address(*forges: str, url: str | None = "https://ci.example.org") -> str:
        repositories = tuple(
            RepositorySettings(url=f"https://{forge}.example.org/a", name=forge, forge=forge)
            for forge in forges
        )
        return check_address(
            Settings(
                server=ServerSettings(url=url),
                storage=StorageSettings(path=tmp_path),
                repositories=repositories,
            )
        ).text

    assert address("github") == "webhooks go to https://ci.example.org/hooks/github"
    assert address("gitlab", "git").endswith("/hooks/git and https://ci.example.org/hooks/gitlab")
    assert address(url=None).startswith("webhooks go to http://127.0.0.1:8470/hooks/git; statuses carry no")
