"""The daemon as a process: HTTP on its address, signals, an orderly end. Called by `windlass serve`."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from typing import Final

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.commit_urls import commit_urls
from windlass_runner.daemon.host import check_supported
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.opening import Opening
from windlass_runner.daemon.registry_part import embedded_registry, with_registry
from windlass_runner.daemon.settings import ServerSettings, Settings
from windlass_runner.daemon.webhooks import FORGES
from windlass_runner.daemon.wiring import wire
from windlass_runner.run.storage import Storage
from windlass_runner.web.api import make_api
from windlass_runner.web.api_calls import Source
from windlass_runner.web.app import make_app
from windlass_runner.web.apps import make_apps, only_apps_at
from windlass_runner.web.apps_sockets import LARGEST_MESSAGE_BYTES
from windlass_runner.web.artifacts import make_artifacts
from windlass_runner.web.bounds import BoundedProtocol
from windlass_runner.web.link_gate import Shown
from windlass_runner.web.plots import make_plots
from windlass_runner.web.run_page import make_run_pages

_GRACE_S: Final = 2
_LOOK_S: Final = 0.5
_BACKLOG: Final = 512


def serve(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    ready: Callable[[str], None],
    stopping: threading.Event,
) -> None:
    """Run the daemon until `stopping` is set. `ready` is called with its address once it listens: when it
    has begun, or waits for what keeps it from that.

    Raises:
        OperatorError: it cannot begin, and no waiting mends that.
    """
    check_supported(settings)
    opening = Opening(lambda: wire(settings, environ), version=version("windlass"))
    folder, url = Storage(settings.storage.path).registry, settings.server.url
    database = settings.storage.database
    with (
        listen(settings.server) as listener,
        embedded_registry(folder, url=url, journal=Journal("registry"), database=database) as registry,
    ):
        address = address_of(listener)
        try:
            opening.attempt()
            hooks = {forge: partial(opening.receive, forge) for forge in FORGES}
            api = make_api(_source(settings, opening, stopping))
            own = [] if registry is None else [registry.app]
            parts = [api, *own, *_linked(settings, opening, stopping)]
            app = make_app(hooks=hooks, health=with_registry(opening.health, registry), parts=parts)
            if settings.server.apps_url is not None:
                app = only_apps_at(settings.server.apps_url, app)
            with serving_http(app, listener):
                Journal("server").info("server.listens", address=address)
                ready(address)
                while not stopping.wait(_LOOK_S):  # a signal may reach another thread and wake nobody
                    opening.attempt()
                Journal("server").info("server.stops")
        finally:
            opening.close()


def _source(settings: Settings, opening: Opening, stopping: threading.Event) -> Source:
    return Source(
        ledger=opening.ledger,
        storage=Storage(settings.storage.path),
        repositories={repository.name: repository.url for repository in settings.repositories},
        clock=time.time,
        links=opening.links,
        is_stopping=stopping.is_set,
    )


def _linked(settings: Settings, opening: Opening, stopping: threading.Event) -> list[BaseRoute]:
    """What links open; nothing where nobody was told how to reach the daemon."""
    if settings.server.url is None:
        return []
    shown = Shown(
        ledger=opening.ledger, links=opening.links, storage=Storage(settings.storage.path), clock=time.time
    )
    pages = make_run_pages(
        shown,
        name_of=_source(settings, opening, stopping).name_of,
        commit_url=commit_urls(settings.repositories),
    )
    return [make_artifacts(shown), make_plots(shown), *make_apps(shown), *pages]


@contextlib.contextmanager
def listen(server: ServerSettings) -> Iterator[socket.socket]:
    """The socket of the settings' address. Raises OperatorError where it cannot be had."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    # asyncio turns Nagle's delay off (40 ms between an answer's head and body) only if told the protocol
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((server.host, server.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OperatorError(
            f"cannot listen on {server.host}:{server.port}: {error.strerror or error}",
            remedy="set [server] listen to another address",
        ) from error
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """The address as a URL, with the port that it really has."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.contextmanager
def serving_http(
    app: ASGIApp, listener: socket.socket, *, protocol: type[BoundedProtocol] = BoundedProtocol
) -> Iterator[None]:
    """uvicorn on a thread of its own; signals stay ours."""
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="asyncio",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # it holds memory for each, and may unpack to much more
        lifespan="off",
        log_config=None,
        log_level="error",  # what strangers send wrongly is no news
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="windlass-web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_GRACE_S + 2)


@contextlib.contextmanager
def stop_on_signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event; a second one ends the process at once, as it always would."""
    wanted = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in wanted}

    def note(_number: int, _frame: object) -> None:
        stopping.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in wanted:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
