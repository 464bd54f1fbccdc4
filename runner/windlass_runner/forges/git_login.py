"""How git is given what opens a repository, so that nobody else sees it. Pure; for `forges.git_program`.

It is a credential helper (gitcredentials(7)), bound to the host: git asks it when that host wants to know who
we are, and only then. A header would be sent along to wherever a server leads git. The password goes through
the environment of the one process: arguments are seen by every user of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_USER: Final = "WINDLASS_GIT_USER"
_ANSWER: Final = "WINDLASS_GIT_ANSWER"
_HELPER: Final = (
    '!f() { test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "$'
    + _USER
    + '" "$'
    + _ANSWER
    + '"; }; f'
)
"""`printf` is built into the shell, so what it prints is on no command line."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are to the host of a repository."""

    user: str
    password: str = field(repr=False)


def login_variables(url: str, login: Login, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that let git in at the host of that address, behind its owner's configuration.

    The empty helper takes the owner's away for that host: they would store what ours gives.
    """
    parts = urlsplit(url)
    key = f"credential.{parts.scheme}://{parts.netloc.rpartition('@')[2]}.helper"
    first = int(environment.get("GIT_CONFIG_COUNT") or "0")
    return {
        "GIT_CONFIG_COUNT": str(first + 2),
        f"GIT_CONFIG_KEY_{first}": key,
        f"GIT_CONFIG_VALUE_{first}": "",
        f"GIT_CONFIG_KEY_{first + 1}": key,
        f"GIT_CONFIG_VALUE_{first + 1}": _HELPER,
        _USER: login.user,
        _ANSWER: login.password,
    }


def is_same_host(url: str, api_url: str) -> bool:
    """Whether what opens the API may be shown at a repository's address: on its own host and port, and never
    in the clear over a network."""
    address, api = urlsplit(url), urlsplit(api_url)
    is_safe = address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
    return is_safe and (address.scheme, address.hostname, address.port) == (
        api.scheme,
        api.hostname,
        api.port,
    )
