"""The pages of the double on which a person makes a GitHub App from a manifest, as a browser meets them.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from github_double.description import load_description
from github_double.server import GitHubDouble
from github_double.world import App

Json = Any
_KEYS: Final = {
    "name",
    "url",
    "hook_attributes",
    "redirect_url",
    "callback_urls",
    "setup_url",
    "description",
    "public",
    "default_permissions",
    "default_events",
    "request_oauth_on_install",
    "setup_on_update",
}
_NEEDS: Final = {
    "check_run": "checks",
    "check_suite": "checks",
    "create": "contents",
    "delete": "contents",
    "issue_comment": "issues",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "push": "contents",
    "repository_dispatch": "contents",
    "workflow_dispatch": "contents",
}
"""Which permission an App needs to subscribe: https://docs.github.com/en/webhooks/webhook-events-and-payloads."""
_NEW: Final = re.compile(r"(?:/organizations/([^/]+))?/settings/apps/new")


class GitHubPages:
    """`wrong` is what GitHub had against a manifest."""

    def __init__(self, hub: GitHubDouble) -> None:
        self.hub = hub
        self.wrong: list[str] = []
        self._asked: dict[str, tuple[App, str]] = {}
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ask(self, target: str, form: dict[str, list[str]]) -> tuple[int, str, str]:
        """A manifest arrives, and the person is asked; or the person agrees, and is sent back."""
        parts = urlsplit(target)
        state = parse_qs(parts.query).get("state", [""])[0]
        if found := _NEW.fullmatch(parts.path):
            manifest = json.loads(form["manifest"][0])
            self.wrong += wrong_in_manifest(manifest)
            if self.wrong:
                return 422, f"<h1>Invalid GitHub App configuration</h1>{escape(str(self.wrong))}", ""
            number = f"{len(self._asked) + 1}"
            back = f"{manifest['redirect_url']}?" + urlencode({"state": state})
            self._asked[number] = (_app(manifest, owner=found[1] or "ann"), back)
            return 200, f'<form method="post" action="/agree/{number}"><button>Create</button></form>', ""
        app, back = self._asked.pop(parts.path.removeprefix("/agree/"))
        return 302, "", f"{back}&{urlencode({'code': self.hub.world.agree(app)})}"


def wrong_in_manifest(manifest: Json) -> Iterator[str]:
    """What GitHub has against it."""
    yield from (f"unknown: {name}" for name in manifest.keys() - _KEYS)
    yield from (f"missing: {name}" for name in ("name", "url", "redirect_url") if not manifest.get(name))
    if len(manifest["name"]) > 34:
        yield "the name is too long"
    hook = manifest.get("hook_attributes", {})
    if urlsplit(hook.get("url", "")).hostname in (None, "localhost", "127.0.0.1"):
        yield "the hook is not reachable over the public Internet"
    permissions = manifest.get("default_permissions", {})
    yield from load_description().wrong_as("app-permissions", permissions)
    for event in manifest.get("default_events", ()):
        if _NEEDS.get(event, event) not in permissions:
            yield f"the event {event} is not one, or not for these permissions"


def _app(manifest: Json, *, owner: str) -> App:
    return App(
        name=manifest["name"],
        slug=re.sub(r"[^a-z0-9]+", "-", manifest["name"].lower()),
        owner=owner,
        permissions=manifest["default_permissions"],
        events=manifest["default_events"],
        hook_url=manifest["hook_attributes"]["url"],
        hook_secret="hush-hush" if manifest["hook_attributes"]["active"] else None,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: GitHubPages) -> None:
        self.pages = pages
        super().__init__(("127.0.0.1", 0), _Exchange)


class _Exchange(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        status, html, location = self.server.pages.ask(self.path, parse_qs(body))
        content = html.encode()
        self.send_response_only(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test says what it wants to know."""


@contextmanager
def open_pages(hub: GitHubDouble) -> Iterator[GitHubPages]:
    """The pages for one test. At the end every manifest must have been one."""
    pages = GitHubPages(hub)
    try:
        yield pages
    finally:
        pages.close()
    assert not pages.wrong, pages.wrong
