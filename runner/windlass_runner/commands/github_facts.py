"""What GitHub says of an App or of a person's token: fetched in a few calls, told as values.

Used by `windlass github` and, one line for each credential, by `windlass doctor`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.github.client import Client, NotFound

_DELIVERIES: Final = 100
"""How many of the App's newest deliveries are looked at: one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Requests of this hour: how many are left, of how many, until when (seconds since 1970)."""

    remaining: int
    limit: int
    resets_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An App on the repositories of one account. `repositories` and `rate` are of no worth where it is
    suspended."""

    id: int
    account: str
    page: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    is_suspended: bool
    repositories: tuple[str, ...] = ()
    rate: RateLimit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDelivery:
    """A webhook that nobody took, not at a later try either."""

    guid: str
    event: str
    delivered_at: str
    status: str
    status_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App. `hook_url`: where its webhooks go; None: nowhere."""

    id: int
    name: str
    owner: str
    page: str
    settings_page: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    installations: tuple[Installation, ...]
    hook_url: str | None
    failed: tuple[FailedDelivery, ...]
    """Newest first."""
    is_heard: bool
    """Whether the newest delivery went through, or there was none yet."""
    skew_s: float
    """How far GitHub's clock is ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose token it is. `scopes` None: GitHub does not tell (a fine-grained token)."""

    login: str
    scopes: tuple[str, ...] | None
    rate: RateLimit | None
    skew_s: float
    reachable: Mapping[str, bool]
    """By repository: whether the token may write there."""


def fetch_app(client: Client, *, web_url: str, installed: Callable[[int], Client]) -> App:
    """All of an App. `client` asks as the App, `installed` as the App in an installation.

    Raises:
        UpstreamError, OperatorError
    """
    try:
        told = client.request("GET", "/app")
        deliveries = _fetch_deliveries(client)
        failed = tuple(_failed(deliveries))
        owner, settings = _owner(told["owner"] or {})
        return App(
            id=told["id"],
            name=told["name"],
            owner=owner,
            page=told["html_url"],
            settings_page=f"{web_url}/{settings}/{told.get('slug', '')}",
            permissions=told["permissions"],
            events=tuple(told["events"]),
            installations=tuple(fetch_installations(client, installed)),
            hook_url=_fetch_hook_url(client),
            failed=failed,
            is_heard=not failed or deliveries[0]["guid"] != failed[0].guid,
            skew_s=client.skew_s,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UpstreamError(f"what answers is not as GitHub describes itself: {error!r}") from error


def _owner(told: Mapping[str, Any]) -> tuple[str, str]:
    """Whose an App is, and where below GitHub's address its owner sets it: a person, an organisation or an
    enterprise, which has no login. An Enterprise Server may leave it out."""
    match told:
        case {"login": str(login), "type": "User"}:
            return login, "settings/apps"
        case {"login": str(login)}:
            return login, f"organizations/{login}/settings/apps"
        case {"slug": str(slug)}:
            return slug, f"enterprises/{slug}/settings/apps"
    return "?", "settings/apps"


def fetch_installations(client: Client, installed: Callable[[int], Client]) -> Iterator[Installation]:
    """Where the App is installed, with the repositories that it reaches there."""
    for told in client.pages("/app/installations", query={}):
        is_suspended = told.get("suspended_at") is not None
        own = None if is_suspended else installed(told["id"])
        yield Installation(
            id=told["id"],
            account=_owner(told["account"] or {})[0],
            page=told["html_url"],
            permissions=told["permissions"],
            events=tuple(told["events"]),
            is_suspended=is_suspended,
            repositories=tuple(_fetch_repositories(own)) if own else (),
            rate=_fetch_rate(own) if own else None,
        )


def _fetch_repositories(client: Client) -> Iterator[str]:
    for told in client.pages("/installation/repositories", query={}, items="repositories"):
        yield told["full_name"]


def fetch_person(client: Client, repositories: Collection[str]) -> Person:
    """Whose token it is, and what it reaches of the named repositories.

    Raises:
        UpstreamError, OperatorError
    """
    try:
        login = client.request("GET", "/user")["login"]
        return Person(
            login=login,
            scopes=client.scopes,
            rate=_fetch_rate(client),
            skew_s=client.skew_s,
            reachable={name: _may_write(client, name) for name in repositories},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UpstreamError(f"what answers is not as GitHub describes itself: {error!r}") from error


def _may_write(client: Client, repository: str) -> bool:
    try:
        told = client.request("GET", f"/repos/{repository}")
    except NotFound:
        return False
    return bool((told.get("permissions") or {}).get("push"))


def _fetch_rate(client: Client) -> RateLimit | None:
    """None: this GitHub has none (an Enterprise Server may be set so)."""
    try:
        core = client.request("GET", "/rate_limit")["resources"]["core"]
    except NotFound:
        return None
    return RateLimit(remaining=core["remaining"], limit=core["limit"], resets_at=core["reset"])


def _fetch_hook_url(client: Client) -> str | None:
    try:
        told = client.request("GET", "/app/hook/config")
    except NotFound:
        return None
    return told.get("url") or None


def _fetch_deliveries(client: Client) -> list[Any]:
    """Newest first; none where there is no webhook."""
    try:
        found: list[Any] = client.request("GET", "/app/hook/deliveries", query={"per_page": _DELIVERIES})
    except NotFound:
        return []
    return found


def _failed(deliveries: list[Any]) -> Iterator[FailedDelivery]:
    """Each once, without those that went through at another try."""
    known = {told["guid"] for told in deliveries if 200 <= told["status_code"] < 300}
    for told in deliveries:
        if told["guid"] in known:
            continue
        known.add(told["guid"])
        yield FailedDelivery(
            guid=told["guid"],
            event=told["event"],
            delivered_at=told["delivered_at"],
            status=told["status"],
            status_code=told["status_code"],
        )
