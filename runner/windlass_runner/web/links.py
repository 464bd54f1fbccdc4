"""Links that open one thing to whoever has them, until a day: signed with a key of the daemon's own. Pure.

Made by `daemon.status` for the checks of a commit, so that who sees a check may open what it shows. Read by
`web.link_gate`.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlencode

from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.app import app_base

LIFETIME_S: Final = 30 * 86_400.0
_LABEL_BYTES: Final = 20
"""Of the host name of an app: nobody guesses it, and it makes 32 letters of a label's 63."""
LINKED_TYPES: Final = ("artifact", "volume")
"""Outputs that are handed out; the others are texts, or versions of their own."""


class LinkRefused(Exception):
    """Nobody signed this: it is no link of ours, or not all of one."""


class LinkEnded(Exception):
    """It was a link; its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`address`: how others reach the daemon, without a slash at its end. `key`: 32 secret bytes.
    `apps_address`: where apps are reached, if that is elsewhere; with `*` for its first label each app has a
    host name of its own."""

    address: str
    key: bytes = field(repr=False)
    apps_address: str | None = None
    tells_apps: bool = False
    """Whether what everybody reads who reads the repository leads to apps: their links open them, and some
    run any code."""

    @property
    def has_own_apps_address(self) -> bool:
        """Whether apps share no host name with the rest of the daemon."""
        return self.apps_address is not None

    @property
    def keeps_apps_apart(self) -> bool:
        """Whether apps share no host name with each other."""
        return self.apps_address is not None and "*" in self.apps_address

    def app_address(self, base: str) -> str:
        """Where the app of that base path is reached, without the path: the same each time."""
        if self.apps_address is None:
            return self.address
        digest = hmac.new(self.key, f"host name\n{base}".encode(), hashlib.sha256).digest()
        label = b32encode(digest[:_LABEL_BYTES]).decode().lower()
        return self.apps_address.replace("*", label)

    def make(self, *words: str, since: float) -> str:
        """The address of `/word/word…`, open for 30 days from then (seconds since 1970)."""
        path = "/".join(("", *words))
        ends, signature = self.sign(path, until=since + LIFETIME_S)
        query = urlencode({"ends": ends, "signature": signature})
        return f"{self.address}{quote(path, errors='replace')}?{query}"

    def sign(self, path: str, *, until: float) -> tuple[str, str]:
        """What `check` wants to see for a path until then: its `ends` and its `signature`."""
        ends = f"{until:.0f}"
        return ends, self._signature(path, ends)

    def check(self, path: str, query: Mapping[str, str], *, at: float) -> None:
        """Whether a path, decoded, is open at that time to who shows these parameters.

        Raises:
            LinkRefused, LinkEnded
        """
        ends, shown = query.get("ends", ""), query.get("signature", "")
        if not hmac.compare_digest(self._signature(path, ends).encode(), shown.encode(errors="replace")):
            raise LinkRefused
        if at >= float(ends):
            raise LinkEnded

    def _signature(self, path: str, ends: str) -> str:
        signed = f"{ends}\n{path}".encode(errors="replace")
        digest = hmac.new(self.key, signed, hashlib.sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def run_url(links: Links, run: RunRecord) -> str:
    """The page of a run: one address while it goes on, and at its end another, which is open longer."""
    return links.make("runs", run.id, since=run.ended_at or run.created_at)


def app_url(links: Links, run_id: str, job_key: str, *, since: float) -> str:
    """What opens the app that a job serves."""
    base = app_base(run_id, job_key)
    return replace(links, address=links.app_address(base)).make(*base.strip("/").split("/"), since=since)


def job_anchor(place: int) -> str:
    """The part of that page that is about a job, by its place among all of them, from 1."""
    return f"job-{place}"
