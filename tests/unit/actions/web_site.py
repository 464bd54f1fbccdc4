"""An HTTP server with one file and a script of misbehaviour: one trick for each request, then it behaves."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Site:
    """What is served, and what was asked for."""

    content: bytes = b"".join(number.to_bytes(4, "big") for number in range(75_000))
    etag: str = '"one"'
    tricks: list[str] = field(default_factory=list)
    """`cut N`: N bytes and the end. `status N` (`status N SECONDS`: come back later). `whole`: no ranges.
    `elsewhere URL`. `longer`: says that it has more than it sends. `shorter`: says less.
    `unsaid N`: no length, N bytes. `stall N`: N bytes, then silence. `wrong-part`: another range."""
    released: threading.Event = field(default_factory=threading.Event)
    requests: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    @property
    def ranges(self) -> list[str | None]:
        return [each.get("Range") for each in self.requests]


class Handler(BaseHTTPRequestHandler):
    """Answers as the site's script has it."""

    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site = self.site
        site.requests.append({name.title(): value for name, value in self.headers.items()})
        trick, *words = (site.tricks.pop(0) if site.tricks else "behave").split(" ")
        self.close_connection = trick != "behave"
        match trick:
            case "cut":
                self.send_file(sent=int(words[0]))
            case "status":
                later = {"Retry-After": words[1]} if len(words) > 1 else {}
                self.answer(int(words[0]), b"no", later)
            case "elsewhere":
                self.answer(302, b"", {"Location": words[0]})
            case "whole":
                self.send_file(has_ranges=False)
            case "longer":
                self.send_file(said=len(site.content) + 1000)
            case "shorter":
                self.send_file(said=len(site.content) - 1000)
            case "unsaid":
                self.send_file(sent=int(words[0]), said=-1)
            case "wrong-part":
                self.send_file(shift=7)
            case "stall":
                self.send_file(sent=int(words[0]))
                self.wfile.flush()
                site.released.wait(30)
            case _:
                self.send_file()

    def send_file(
        self, *, sent: int | None = None, said: int | None = None, has_ranges: bool = True, shift: int = 0
    ) -> None:
        site = self.site
        total = len(site.content)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(found.group(1)) if found and has_ranges else 0
        if self.headers.get("If-Range", site.etag) != site.etag:
            begin = 0
        if begin >= total:
            self.answer(416, b"", {"Content-Range": f"bytes */{total}"})
            return
        body = site.content[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin + shift}-{total - 1}/{total}")
        if site.etag:
            self.send_header("ETag", site.etag)
        if said != -1:
            self.send_header("Content-Length", str((said or total) - begin))
        self.end_headers()
        self.wfile.write(body[:sent])

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Those who hang up while it writes are no news."""


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """The site, with an address."""
    with _Server(("127.0.0.1", 0), type("OneSite", (Handler,), {"site": site})) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        site.address = f"http://127.0.0.1:{running.server_port}"
        try:
            yield site
        finally:
            site.released.set()
            running.shutdown()
            thread.join()
