"""A registry read over HTTP from servers that do as they like."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry_world import World, begin
from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.trust.client import pin_root
from windlass_registry.trust.transport import HttpTransport, MissingFile, open_transport, read_bounded


class Quiet(SimpleHTTPRequestHandler):
    """A plain web server, as anybody may put one before a registry's folder."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = begin(tmp_path)
    world.publish()
    return world


def test_a_plain_web_server_is_enough(world: World) -> None:
    with serving(lambda *a: Quiet(*a, directory=str(world.registry.folder))) as address:
        assert pin_root(open_transport(address)) == world.root
        source = world.source(address=address + "/")
        (release,) = source.releases("acme/train")
        assert release.load().manifest.name == "Train"
        assert source.statement(source.facts("acme/train")[0])
        assert source.names() == ("acme/train",)


def test_a_file_that_is_not_there_is_missing(world: World) -> None:
    with serving(lambda *a: Quiet(*a, directory=str(world.registry.folder))) as address:
        with pytest.raises(MissingFile):
            read_bounded(open_transport(address), "metadata/99.root.json", at_most=10)
        with pytest.raises(OperatorError, match="is no registry"):
            pin_root(open_transport(f"{address}/packages"))


def test_a_server_that_fails_is_asked_again_later(world: World) -> None:
    with (
        serving(answering(lambda request: request.send_error(500))) as address,
        pytest.raises(UpstreamError, match="answers 500"),
    ):
        world.source(address=address).releases("acme/train")


def test_nobody_there_is_said_so(world: World) -> None:
    with serving(answering(lambda request: None)) as address:
        pass
    with pytest.raises(UpstreamError, match="does not answer"):
        world.source(address=address).releases("acme/train")


def test_an_endless_answer_is_cut_off(world: World) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    with serving(answering(endless)) as address, pytest.raises(WindlassError, match=r"longer|other bytes"):
        world.source(address=address).releases("acme/train")


def test_a_server_that_trickles_is_let_go_of() -> None:
    now = iter(range(0, 10_000, 20))

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while True:
            request.wfile.write(b"x")

    with serving(answering(trickle)) as address:
        transport = HttpTransport(address, monotonic=lambda: float(next(now)))
        with pytest.raises(UpstreamError, match="too slow"):
            read_bounded(transport, "metadata/timestamp.json", at_most=1_000_000)


def test_a_compressed_answer_is_not_unpacked(world: World) -> None:
    """What is signed are the bytes of the file; a small answer can be no bomb."""

    def packed(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", "4")
        request.end_headers()
        request.wfile.write(b"\x1f\x8b\x08\x00")

    with serving(answering(packed)) as address:
        assert read_bounded(open_transport(address), "index.json", at_most=10) == b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize("address", ["ftp://example.org", "gopher://x"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(OperatorError, match="no address of a registry"):
        open_transport(address)
