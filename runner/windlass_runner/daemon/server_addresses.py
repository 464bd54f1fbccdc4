"""Reads the addresses under `[server]`. Called by `daemon.settings`."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from windlass_runner.daemon.toml_reader import Section

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}


def apps_address(section: Section, url: str | None) -> str | None:
    """Where apps are reached: with `*` for its first label, each under a host name of its own. None: below
    `url`."""
    apps_url = web_address(section, "apps_url", "https://*.apps.example.org")
    if apps_url is None:
        return _apps_here(url)
    host, path = urlsplit(apps_url).netloc, urlsplit(apps_url).path
    own = urlsplit(url).netloc if url is not None else ""
    if not own or own == host:
        section.error("apps_url", "'apps_url' needs a host name that is not that of 'url'", "leave it out")
    elif "*" in apps_url.replace("//*.", "//", 1) or path:
        remedy = "write it as https://apps.example.org or https://*.apps.example.org"
        section.error("apps_url", f"'{apps_url}' is not an address of apps", remedy)
    elif host == f"*.{own.partition('.')[2]}":
        remedy = "give apps a domain of their own, such as *.apps.example.org"
        section.error("apps_url", f"'{apps_url}' takes in the host name of 'url'", remedy)
    return apps_url.removesuffix(_USUAL_PORTS.get(urlsplit(apps_url).scheme, "/"))  # as browsers send it


def _apps_here(url: str | None) -> str | None:
    """Unless told: on this machine each has a host name, for browsers look here for all that is below
    `localhost` (https://www.rfc-editor.org/rfc/rfc6761#section-6.3)."""
    parts = urlsplit(url or "")
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        return None
    port = parts.netloc.rpartition(":")[2]
    return f"http://*.localhost:{port}" if port.isdecimal() and port != "80" else "http://*.localhost"


def web_address(section: Section, key: str, example: str) -> str | None:
    """An address of the web, without a slash at its end."""
    url = section.text(key)
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        section.error(key, f"'{url}' is not an http address", f"write it as {example}")
    return url.rstrip("/") if url else None


def listen_address(text: str) -> tuple[str, int] | None:
    """Host and port; None: it is none."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        return None
    return host, int(port)
