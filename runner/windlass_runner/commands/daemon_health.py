"""What the running daemon says of itself on `/healthz`. For `doctor` and `github status`."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from windlass_runner.commands.paint import tame
from windlass_runner.daemon.settings import ServerSettings

_LONGEST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonHealth:
    """`status` is that of HTTP; texts are fit for terminals."""

    status: int
    problems: tuple[str, ...]
    of_github: tuple[tuple[str, str], ...]
    """Repositories and credentials, with what GitHub did not let the daemon do for them lately."""

    def troubles(self, names: Collection[str]) -> list[str]:
        """Those of these repositories and credentials."""
        return [f"{name}: {text}" for name, text in self.of_github if name in names]


def fetch_health(server: ServerSettings) -> DaemonHealth | None:
    """None where no daemon answers."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        told = json.loads(answer.read(_LONGEST_BYTES))
        return DaemonHealth(
            status=answer.status,
            problems=tuple(tame(str(problem)) for problem in told["problems"]),
            of_github=tuple(_of_github(told)),
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return None
    finally:
        connection.close()


def _of_github(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (str(repository["name"]), tame(str(repository[kind])))
        for repository in told.get("repositories", ())
        for kind in ("post_error", "comment_error", "reconcile_error", "sample_error")
        if repository.get(kind)
    ]
    return [*found, *((name, tame(str(error))) for name, error in told.get("credentials", {}).items())]
