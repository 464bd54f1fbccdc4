"""A registry whose files lie in a bucket of a real store, and a way to that store that can fail."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from integration.actions.s3_server import Server
from registry_world import World
from windlass_registry.hosting.moving import move_to_store
from windlass_registry.hosting.store_settings import StoreSettings, make_store

PUBLIC = ("metadata", "packages", "statements", "index.json")
Spoil = Callable[[str, str], str]
"""Told method and path of a call, says what becomes of it: '' (nothing), `500`, `away` (the connection breaks
before the store hears of it), `lost` (after it did what was asked), `short` (in the middle of its answer)."""


def settings_for(server: Server, folder: Path, *, prefix: str, user: str = "reader") -> StoreSettings:
    """A place in a bucket of the store, with the keys of one of its users."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / f"{user}.keys"
    keys.touch(mode=0o600)
    key, secret = server.keys[user]
    keys.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    return make_store(f"s3://empty/{prefix}", folder=folder, endpoint=server.endpoint, credentials=str(keys))


def move(world: World, settings: StoreSettings) -> None:
    """Put a world's registry there; nothing that is public stays in its folder."""
    move_to_store(world.registry, settings, told=lambda what, done, of: None)
    for name in PUBLIC[:3]:
        shutil.rmtree(world.folder / "registry" / name, ignore_errors=True)
    (world.folder / "registry" / "index.json").unlink()


def another_machine(world: World, name: str) -> World:
    """The same people at another machine that keeps the same registry."""
    folder = world.folder / name
    folder.mkdir()
    shutil.copytree(world.folder / "registry", folder / "registry")
    shutil.copytree(world.folder / "keys", folder / "keys")
    return World(folder, now=world.now, root=world.root, _made=1000)


@dataclass
class FaultyWay:
    """A proxy in front of the store."""

    endpoint: str = ""
    spoil: Spoil = lambda method, path: ""
    calls: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def faulty_way(server: Server) -> Iterator[FaultyWay]:
    """Run the proxy; what is signed for its address is passed on as it is."""
    way = FaultyWay()

    class Handler(_Passing):
        store = urlsplit(server.endpoint)

    Handler.way = way
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
    thread.start()
    way.endpoint = f"http://127.0.0.1:{proxy.server_address[1]}"
    try:
        yield way
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


class _Passing(BaseHTTPRequestHandler):
    way: FaultyWay
    store: SplitResult
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on()

    do_HEAD = do_PUT = do_DELETE = do_GET

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.way.calls.append((self.command, self.path))
        fault = self.way.spoil(self.command, self.path)
        if fault == "500":
            self._answer(500, {"Content-Length": "0"}, b"")
        elif fault == "away":
            self._break()
        else:
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: str) -> None:
        store = self.store
        connection = HTTPConnection(store.hostname, store.port, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer: HTTPResponse = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault == "lost":
            self._break()
            return
        headers = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length")
        }
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self._answer(answer.status, {**headers, "Content-Length": length or "0"}, content, fault=fault)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, fault: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if fault == "short" else body)
        if fault == "short":
            self._break()

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        pass
