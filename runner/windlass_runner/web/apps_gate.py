"""Who comes to an app, and what of an app's words passes the daemon. Pure, but for looking the app up.

A link signed by us (`web.links`) opens an app: it sets a cookie for the app's own path, and that lets its
page in for some hours. What an app says is changed so that it reaches nothing else of the daemon: its cookies
stay below its path, and where it shares the daemon's host name its pages may speak to that path alone.
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
_HOST_COOKIE: Final = f"__Host-{COOKIE}"
"""No other host can set one of this name
(https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2)."""
_OURS: Final = (COOKIE, _HOST_COOKIE)
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
    is_secure = links.app_address(base).startswith("https:")
    is_of_host = is_secure and links.keeps_apps_apart
    name, path = (_HOST_COOKIE, "/") if is_of_host else (COOKIE, base)
    return (
        f"{name}={ends}.{signature}; Path={path}; Max-Age={COOKIE_LIFETIME_S:.0f};"
        f" HttpOnly; SameSite=Lax{'; Secure' if is_secure else ''}"
    )


def is_let_in(links: Links, base: str, headers: Iterable[tuple[bytes, bytes]], *, at: float) -> bool:
    """Whether a request shows the cookie of that path."""
    for name, value in _cookies(headers):
        ends, _, signature = value.partition(".")
        if name not in _OURS:
            continue
        try:
            links.check(base, {"ends": ends, "signature": signature}, at=at)
        except (LinkRefused, LinkEnded):
            continue
        return True
    return False


def is_at_home(links: Links, base: str, headers: Mapping[str, str]) -> bool:
    """Whether an app is asked for under the host name that is its own, where it has one."""
    return not links.has_own_apps_address or headers.get("host", "").lower() == _host(links, base)


def may_come(links: Links, base: str, method: str | None, headers: Mapping[str, str]) -> bool:
    """Whether the page that sends this is the app's own, or somebody followed a link. `method` None: it is
    a WebSocket.

    The app's cookie does not tell: to browsers, host names below one domain are one site. The rule is that of
    https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header, and of `Origin` where a browser is older.
    """
    site = headers.get("sec-fetch-site", "none")
    is_opened = method in ("GET", "HEAD") and (
        (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    )
    if site not in ("same-origin", "none") and not is_opened:
        return False
    origin = headers.get("origin")
    if method in SAFE_METHODS or origin is None:
        return True
    if links.has_own_apps_address:
        return origin.lower() == links.app_address(base).lower()
    return urlsplit(origin).netloc in (headers.get("host", ""), urlsplit(links.address).netloc)


def _host(links: Links, base: str) -> str:
    return urlsplit(links.app_address(base)).netloc.lower()


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
    cookies = "; ".join(f"{name}={value}" for name, value in _cookies(pairs) if name not in _OURS)
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
    kept.append((b"content-security-policy", _policy(links, app.base).encode()))
    kept.append((b"x-content-type-options", b"nosniff"))
    if not any(name == b"referrer-policy" for name, _ in pairs):
        kept.append((b"referrer-policy", b"same-origin"))  # other sites learn nothing of where the app is
    return kept


def _policy(links: Links, base: str) -> str:
    """It is shown in no page of another site. It loads pictures and scripts from where it likes; where it
    shares a host name with the daemon, it asks and sends only below its own path."""
    ancestors = "frame-ancestors 'self'"  # of these, browsers compare no path
    if links.has_own_apps_address:
        return ancestors
    place = links.address + base
    own = f"{place} {'ws' + place.removeprefix('http')}"
    return (
        f"connect-src {own} data: blob:; form-action {place}; frame-src {place} data: blob:;"
        f" worker-src {place} blob:; object-src {place}; {ancestors}"
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
        if name not in _OURS:
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
