"""The checks of `windlass doctor` that ask others: the port, the address, the repositories."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Literal

from windlass_registry.errors import WindlassError
from windlass_runner.commands.checks import Check
from windlass_runner.commands.paint import tame
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.settings import ServerSettings, Settings

_LONGEST_HEALTH_BYTES: Final = 4 * 1024 * 1024


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
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        told = json.loads(answer.read(_LONGEST_HEALTH_BYTES))
        problems = [tame(str(problem)) for problem in told["problems"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "fail", "the daemon takes nothing in: " + "; ".join(problems)
    return ("warn", "the daemon says: " + "; ".join(problems)) if problems else ("ok", "the daemon answers")


def check_address(settings: Settings) -> Check:
    """Whether webhooks and links can reach us."""
    server = settings.server
    hooks_only = [repository.name for repository in settings.repositories if repository.poll_s == 0]
    if server.url is not None:
        return Check(name="address", state="ok", text=f"webhooks go to {server.url}/hooks/git")
    text = f"webhooks go to http://{server.host}:{server.port}/hooks/git; statuses carry no links"
    is_local = server.host in ("127.0.0.1", "::1", "localhost")
    if hooks_only and is_local:
        text = f"only this machine reaches the webhooks that {', '.join(hooks_only)} depends on"
        remedy = 'set [server] listen = "0.0.0.0:8470" and url, or poll_s above 0'
        return Check(name="address", state="warn", text=text, remedy=remedy)
    return Check(name="address", state="ok", text=text)


def check_repository(repository: RepositorySettings, environment: Mapping[str, str]) -> Check:
    """Whether a watched repository answers."""
    from windlass_runner.forges.git import Git

    git = Git(environment=environment, timeout_s=10, network_timeout_s=15)
    try:
        refs = git.ls_remote(repository.url)
    except WindlassError as error:
        remedy = "check the address, and the credentials of the user that runs the daemon"
        return Check(name="repository", state="fail", text=f"{repository.name}: {error}", remedy=remedy)
    branches = sum(name.startswith("refs/heads/") for name in refs)
    text = f"{repository.name}: {branches} {'branch' if branches == 1 else 'branches'}"
    return Check(name="repository", state="ok", text=text)
