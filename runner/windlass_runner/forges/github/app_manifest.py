"""A GitHub App of one's own, as a manifest asks for it and as GitHub hands it over. Pure.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest:
a browser posts the manifest to GitHub, a person agrees, GitHub sends the browser back with a code, and the
code is turned, once and within the hour, into the App's number, private key and webhook secret.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from windlass_registry.errors import OperatorError, UpstreamError

API_URL: Final = "https://api.github.com"
HOOK_PATH: Final = "/hooks/github"
"""Where the daemon takes GitHub's deliveries, below its address."""
PERMISSIONS: Final[Mapping[str, str]] = {
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "issues": "read",  # the event issue_comment asks for it
    "merge_queues": "read",  # so does merge_group
    "metadata": "read",
    "pull_requests": "write",  # also comments on them
    "statuses": "write",
}
"""What the daemon does with a repository, and no more."""
EVENTS: Final = (
    "check_run",
    "check_suite",
    "create",
    "delete",
    "issue_comment",
    "merge_group",
    "pull_request",
    "push",
    "repository_dispatch",
    "workflow_dispatch",
)
"""What an App must subscribe to; `installation` and `ping` come unasked."""
NAME_LENGTH: Final = 34
"""GitHub's longest name of an App."""
_LEVELS: Final = {"read": 1, "write": 2, "admin": 3}
_NOWHERE: Final = "https://example.org"
"""Stands where GitHub wants an address and there is none. Nothing is sent there: the hook is not active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """What GitHub hands over, this once."""

    id: int
    slug: str
    name: str
    owner: str
    page: str
    """Its page, which also installs it."""
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def make_manifest(*, name: str, address: str | None, return_to: str) -> dict[str, Any]:
    """The manifest. `address`: how GitHub reaches the daemon; None: it does not, and sends nothing.
    `return_to`: where the browser comes back to with the code."""
    hook = {"url": f"{address or _NOWHERE}{HOOK_PATH}", "active": address is not None}
    return {
        "name": name,
        "url": address or _NOWHERE,
        "description": "Runs the workflows of repositories on their owner's machines.",
        "hook_attributes": hook,
        "redirect_url": return_to,
        "public": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }


def registration_address(web_url: str, *, organization: str | None, state: str) -> str:
    """Where a browser posts the manifest."""
    owner = f"/organizations/{quote(organization, safe='')}" if organization else ""
    return f"{web_url}{owner}/settings/apps/new?{urlencode({'state': state})}"


def web_address(api_url: str) -> str:
    """Where people see a GitHub whose API is there: github.com, its data residency, or an Enterprise Server.

    https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    parts = urlsplit(api_url)
    if parts.netloc.startswith("api."):
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}"


def installation_address(app_page: str) -> str:
    """Where a person installs the App on repositories."""
    return f"{app_page}/installations/new"


def check_public_address(url: str) -> None:
    """Whether anybody but this machine can mean it. Raises OperatorError: GitHub takes no other."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
    if is_here or not host or urlsplit(url).scheme not in ("http", "https"):
        raise OperatorError(
            f"'{url}' is not an address under which GitHub can reach the daemon",
            remedy="give the one that others use, as https://ci.example.org; without any, the daemon polls",
        )


def parse_conversion(data: Mapping[str, Any]) -> NewApp:
    """The answer to `POST /app-manifests/{code}/conversions`. Raises UpstreamError: it is not one."""
    match data:
        case {
            "id": int(number),
            "slug": str(slug),
            "name": str(name),
            "html_url": str(page),
            "owner": {"login": str(owner)},
            "pem": str(key),
            "webhook_secret": str() | None as secret,
        } if key:
            return NewApp(
                id=number,
                slug=slug,
                name=name,
                owner=owner,
                page=page,
                private_key=key,
                webhook_secret=secret or "",
            )
    raise UpstreamError("GitHub's answer tells of no App")


def missing_permissions(granted: Mapping[str, str]) -> tuple[str, ...]:
    """What is needed and not granted, as `checks: write`."""
    return tuple(
        f"{name}: {level}"
        for name, level in PERMISSIONS.items()
        if _LEVELS.get(granted.get(name, ""), 0) < _LEVELS[level]
    )


def missing_events(subscribed: Collection[str]) -> tuple[str, ...]:
    """What is needed and not subscribed to."""
    return tuple(name for name in EVENTS if name not in subscribed)
