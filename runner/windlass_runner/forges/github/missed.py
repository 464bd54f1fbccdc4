"""The webhooks of a GitHub App that did not reach us. GitHub sends none again by itself; for about three days
it tells what they said.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.github.client import Client, NotFound
from windlass_runner.forges.github.deliveries import DELIVERY_HEADER, EVENT_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedDelivery:
    """An attempt that failed. Another one of the same `guid` may have gone through. `failed_at`: seconds
    since 1970 by GitHub's clock. `repository`: GitHub's number of it; None: it is about none."""

    number: int
    guid: str
    kind: str
    repository: int | None
    failed_at: float


def fetch_missed(client: Client, *, since: float) -> Iterator[MissedDelivery]:
    """The attempts that failed since then, newest first; none where the App has no webhook. `client` asks
    as the App itself."""
    try:
        yield from _fetch_missed(client, since=since)
    except NotFound:
        return


def _fetch_missed(client: Client, *, since: float) -> Iterator[MissedDelivery]:
    for found in client.pages("/app/hook/deliveries", query={"status": "failure"}):
        try:
            if 200 <= found["status_code"] < 300:  # a server that is too old to choose
                continue
            missed = MissedDelivery(
                number=found["id"],
                guid=found["guid"],
                kind=found["event"],
                repository=found.get("repository_id"),
                failed_at=datetime.fromisoformat(found["delivered_at"]).timestamp(),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UpstreamError("GitHub gave a delivery without its number, name or time") from error
        if missed.failed_at < since:
            return
        yield missed


def fetch_delivery(client: Client, missed: MissedDelivery) -> tuple[Mapping[str, str], bytes] | None:
    """Headers and body as the webhook would have brought them, but for the signature; None: it is gone."""
    try:
        found = client.request("GET", f"/app/hook/deliveries/{missed.number}")
    except NotFound:
        return None
    request = found.get("request") if isinstance(found, dict) else None
    if not isinstance(request, dict):
        raise UpstreamError(f"GitHub gave no delivery {missed.number}")
    headers = {EVENT_HEADER: missed.kind, DELIVERY_HEADER: missed.guid, "content-type": "application/json"}
    return headers, json.dumps(request.get("payload")).encode()
