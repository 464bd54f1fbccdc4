"""Who comes to an app, and what of an app's words passes the daemon. Pure, but for looking the app up.

A link signed by us (`web.links`) opens an app: it sets a cookie for the app's own path, and that lets its
page in for some hours. What an app says is changed so that it reaches nothing else of the daemon: its cookies
stay below its path, and its pages may speak to that path alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.app import AppAddress
from windlass_runner.run.storage import slug
from windlass_runner.web.links import LinkEnded, LinkRefused, Links

COOKIE: Final = "windlass-app"
COOKIE_LIFETIME_S: Final = 8 * 3600.0
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_HOP_BY_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1"""
_NOT_PASSED_ON: Final = _HOP_BY_HOP | {"host", "expect", "cookie", "origin", "referer", "content-length"}
_NOT_PASSED_BACK: Final = _HOP_BY_HOP | {
    *("set-cookie", "location", "strict-transport-security", "service-worker-allowed", "clear-site-data"),
    *("alt-svc", "public-key-pins", "server", "date"),
}
Headers = list[tuple[bytes, bytes]]


def find_app(ledger: Ledger, run_id: str, name: str) -> AppAddress | None:
    """The app of that run that answers under that name."""
    for attempt in ledger.runs.attempts(run_id):
        if attempt.state != "ended" and slug(attempt.job_key) == name:
            return AppAddress.of_detail(attempt.detail)
    return None


def cookie_for(links: Links, base: str, *, at: float) -> str:
    """The `Set-Cookie` that lets its bearer in below that path."""
    ends, signature = links.sign(base, until=at + COOKIE_LIFETIME_S)
    secure = "; Secure" if links.apps.startswith("https:") else ""
    return (
        f"{COOKIE}={ends}.{signature}; Path={base}; Max-Age={COOKIE_LIFETIME_S:.0f};"
        f" HttpOnly; SameSite=Lax{secure}"
    )


def is_let_in(links: Links, base: str, headers: Iterable[tuple[bytes, bytes]], *, at: float) -> bool:
    """Whether a request shows the cookie of that path."""
    for name, value in _cookies(headers):
        ends, _, signature = value.partition(".")
        if name != COOKIE:
            continue
        try:
            links.check(base, {"ends": ends, "signature": signature}, at=at)
        except (LinkRefused, LinkEnded):
            continue
        return True
    return False


def comes_from_elsewhere(links: Links, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site sends this."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc not in (
        headers.get("host", ""),
        urlsplit(links.apps).netloc,
    )


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers of ASGI by their names; of those that come twice the first counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(list(headers))}


def passed_on(headers: Iterable[tuple[bytes, bytes]], app: AppAddress) -> Headers:
    """What of a request's headers the app hears: as if it were asked where it serves, and not our cookie."""
    pairs = list(headers)
    dropped = _NOT_PASSED_ON | _named_by_connection(pairs)
    kept = [(name, value) for name, value in pairs if name.decode("latin-1").lower() not in dropped]
    own = f"http://{app.host}:{app.port}"
    kept.append((b"host", own.removeprefix("http://").encode()))
    told = by_name(pairs)
    if "origin" in told:  # it has been looked at, and apps compare it with their own address
        kept.append((b"origin", own.encode()))
    if "referer" in told:
        kept.append((b"referer", (own + (urlsplit(told["referer"]).path or "/")).encode("latin-1")))
    cookies = "; ".join(f"{name}={value}" for name, value in _cookies(pairs) if name != COOKIE)
    if cookies:
        kept.append((b"cookie", cookies.encode("latin-1")))
    return kept


def passed_back(headers: Iterable[tuple[bytes, bytes]], app: AppAddress, links: Links) -> Headers:
    """What of the headers of an app's answer reaches the browser."""
    pairs = [(name.lower(), value) for name, value in headers]
    dropped = _NOT_PASSED_BACK | _named_by_connection(pairs)
    kept = [(name, value) for name, value in pairs if name.decode("latin-1") not in dropped]
    for name, value in pairs:
        if name == b"location":
            own = f"http://{app.host}:{app.port}/".encode()
            kept.append((name, b"/" + value.removeprefix(own) if value.startswith(own) else value))
        elif name == b"set-cookie":
            kept.extend((name, cookie) for cookie in _own_cookies(value, app.base))
    if not links.has_own_apps_address:
        kept.append((b"content-security-policy", _policy(links.address, app.base).encode()))
    kept.append((b"x-content-type-options", b"nosniff"))
    return kept


def _policy(address: str, base: str) -> str:
    """It loads pictures and scripts from where it likes, but asks and sends only below its own path."""
    place = address + base
    own = f"{place} {'ws' + place.removeprefix('http')}"
    return (
        f"connect-src {own} data: blob:; form-action {place}; frame-src {place} data: blob:;"
        f" worker-src {place} blob:; object-src {place}; frame-ancestors {place}"
    )


def _own_cookies(value: bytes, base: str) -> list[bytes]:
    """An app's cookies, for its own path alone; none that would stand for ours."""
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie.load(value.decode("latin-1"))
    except CookieError:
        return []
    found = []
    for name, morsel in cookie.items():
        if name != COOKIE:
            morsel["domain"], morsel["path"] = "", base
            found.append(morsel.OutputString().encode("latin-1"))
    return found


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    texts = [value.decode("latin-1") for name, value in headers if name.lower() == b"cookie"]
    pieces = [piece.strip().partition("=") for text in texts for piece in text.split(";") if piece.strip()]
    return [(name, value) for name, sign, value in pieces if sign]


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[str]:
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"connection"]
    return {word.strip().lower() for value in values for word in value.split(",")}
