"""The addresses of a run's page and of its apps, where a daemon serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass_registry.errors import WindlassError
from windlass_runner.commands.context import Place
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord

if TYPE_CHECKING:
    from windlass_runner.web.links import Links


def page_link(place: Place, run: RunRecord) -> str | None:
    """None: the settings name no address for others, or the key is not ours to read."""
    from windlass_runner.web.links import run_url

    links = _links(place)
    return None if links is None else run_url(links, run)


def open_apps(place: Place, ledger: Ledger, run: RunRecord) -> dict[str, str]:
    """What opens the apps of a run that answer now, by their jobs."""
    from windlass_runner.daemon.apps import app_links

    links = _links(place)
    return {} if links is None else app_links(ledger, run, links)


def _links(place: Place) -> Links | None:
    if place.url is None or not place.storage.link_key.is_file():
        return None
    from windlass_runner.daemon.storage_files import keep_key
    from windlass_runner.web.links import Links

    try:
        return Links(address=place.url, key=keep_key(place.storage.link_key), apps_address=place.apps_url)
    except WindlassError:
        return None
