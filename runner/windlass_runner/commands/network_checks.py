"""The checks of `windlass doctor` that ask others: the port, the address, the repositories."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal

from windlass_registry.errors import WindlassError
from windlass_runner.commands.checks import Check
from windlass_runner.commands.daemon_health import fetch_health
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.settings import ServerSettings, Settings
from windlass_runner.forges.git_login import Login


def check_listen(server: ServerSettings) -> Check:
    """Whether the daemon can listen where it should, or does so already."""
    text = f"{server.host}:{server.port}"
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((server.host, server.port))
        return Check(name="port", state="ok", text=f"{text} is free (no daemon runs)")
    except PermissionError:
        remedy = "choose one above 1023 under [server] listen"
        return Check(name="port", state="fail", text=f"{text} may not be used by this user", remedy=remedy)
    except OSError as error:
        health = _health(server)
        if health is not None:
            state, words = health
            return Check(name="port", state=state, text=f"{text}: {words}")
        remedy = "stop what listens there, or choose another under [server] listen"
        text = f"{text} cannot be used: {error.strerror or error}"
        return Check(name="port", state="fail", text=text, remedy=remedy)


def _health(server: ServerSettings) -> tuple[Literal["ok", "warn", "fail"], str] | None:
    """What a daemon says of itself there; None where none answers."""
    told = fetch_health(server)
    if told is None:
        return None
    problems = "; ".join(told.problems)
    if told.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "fail", f"the daemon takes nothing in: {problems}"
    return ("warn", f"the daemon says: {problems}") if problems else ("ok", "the daemon answers")


def check_address(settings: Settings) -> Check:
    """Whether webhooks and links can reach us."""
    server = settings.server
    hooks_only = [repository.name for repository in settings.repositories if repository.poll_s == 0]
    if server.url is not None:
        return Check(name="address", state="ok", text=f"webhooks go to {_hooks(settings, server.url)}")
    base = f"http://{server.host}:{server.port}"
    text = f"webhooks go to {_hooks(settings, base)}; statuses carry no links"
    is_local = server.host in ("127.0.0.1", "::1", "localhost")
    if hooks_only and is_local:
        text = f"only this machine reaches the webhooks that {', '.join(hooks_only)} depends on"
        remedy = 'set [server] listen = "0.0.0.0:8470" and url, or poll_s above 0'
        return Check(name="address", state="warn", text=text, remedy=remedy)
    return Check(name="address", state="ok", text=text)


def _hooks(settings: Settings, base: str) -> str:
    """Where each forge of the settings sends them."""
    forges = sorted({repository.forge for repository in settings.repositories}) or ["git"]
    return " and ".join(f"{base}/hooks/{forge}" for forge in forges)


def check_repository(
    repository: RepositorySettings, environment: Mapping[str, str], *, login: Callable[[str], Login | None]
) -> Check:
    """Whether a watched repository answers."""
    from windlass_runner.forges.git import Git

    git = Git(environment=environment, login=login, timeout_s=10, network_timeout_s=15)
    try:
        refs = git.ls_remote(repository.url)
    except WindlassError as error:
        remedy = "check the address, and the credentials of the user that runs the daemon"
        return Check(name="repository", state="fail", text=f"{repository.name}: {error}", remedy=remedy)
    branches = sum(name.startswith("refs/heads/") for name in refs)
    text = f"{repository.name}: {branches} {'branch' if branches == 1 else 'branches'}"
    return Check(name="repository", state="ok", text=text)
