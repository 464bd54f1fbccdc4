"""What the headers of GitHub's answers say: its time, the next page of a list, how long a limit shuts us out.
Pure. Only `client` calls this."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from requests.utils import parse_header_links

_SECONDARY_LIMIT_S: Final = 60.0
"""How long to wait where GitHub says that it was too much, and not for how long."""
Headers = Mapping[str, str]
"""Their names in lower case."""


def told_time(headers: Headers) -> float | None:
    """GitHub's time, in seconds since the epoch; None: it tells none."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def next_page(headers: Headers) -> Mapping[str, str]:
    """What asks for the next page (a number or a cursor); empty: there is none.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers
    """
    for part in parse_header_links(headers.get("link", "")):
        if part.get("rel") == "next":
            return dict(parse_qsl(urlsplit(part["url"]).query))
    return {}


def limit_s(status: int, headers: Headers, *, now: float, is_limit: bool) -> float | None:
    """For how long the limit that refused a call shuts us out; None: it was no limit. `now` is GitHub's time;
    `is_limit`: the answer's text says so.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    after_s = _number(headers.get("retry-after"))
    if status not in (403, 429):
        return after_s if status == 503 else None
    if after_s is not None:
        return after_s
    if headers.get("x-ratelimit-remaining") == "0":
        resets_at = _number(headers.get("x-ratelimit-reset"))
        return max(1.0, resets_at - now) if resets_at is not None else _SECONDARY_LIMIT_S
    return _SECONDARY_LIMIT_S if status == 429 or is_limit else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
