"""The address of a run's page, where a daemon serves it."""

from __future__ import annotations

from windlass_registry.errors import WindlassError
from windlass_runner.commands.context import Place
from windlass_runner.ledger.records import RunRecord


def page_link(place: Place, run: RunRecord) -> str | None:
    """None: the settings name no address for others, or the key is not ours to read."""
    if place.url is None or not place.storage.link_key.is_file():
        return None
    from windlass_runner.daemon.storage_files import keep_key
    from windlass_runner.web.links import Links, run_url

    try:
        return run_url(Links(address=place.url, key=keep_key(place.storage.link_key)), run)
    except WindlassError:
        return None
