"""What links of the daemon open, served beside a ledger, and a client that asks for just what it is told."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.applications import Starlette

from integration.web.calling import Answer
from windlass_runner.daemon.server import address_of, listen, serving_http
from windlass_runner.daemon.settings import ServerSettings
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage
from windlass_runner.web.artifacts import make_artifacts
from windlass_runner.web.link_gate import Shown
from windlass_runner.web.links import Links
from windlass_runner.web.plots import make_plots
from windlass_runner.web.run_page import make_run_pages

NOW = 1000.0


@dataclass(frozen=True, slots=True)
class Linked:
    """The client, and what makes the links."""

    links: Links

    def get(self, url: str, *, method: str = "GET", **headers: str) -> Answer:
        parts = urlsplit(url)
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request(method, f"{parts.path}?{parts.query}", headers=headers)
            got = connection.getresponse()
            return Answer(status=got.status, headers=got.headers, body=got.read())


@contextmanager
def serving_links(ledger: Ledger, storage: Storage, *, has_begun: bool = True) -> Iterator[Linked]:
    """At the time `NOW`."""
    with listen(ServerSettings(port=0)) as listener:
        links = Links(address=address_of(listener), key=b"k" * 32)
        shown = Shown(
            ledger=lambda: ledger if has_begun else None,
            links=lambda: links if has_begun else None,
            storage=storage,
            clock=lambda: NOW,
        )
        pages = make_run_pages(
            shown, name_of=lambda url: url, commit_url=lambda _url, sha: f"https://example.org/commit/{sha}"
        )
        app = Starlette(routes=[make_artifacts(shown), make_plots(shown), *pages])
        with serving_http(app, listener):
            yield Linked(links)
