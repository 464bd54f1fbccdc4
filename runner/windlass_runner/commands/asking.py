"""Asks the daemon through the ledger, and waits for its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.commands.context import Place
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RequestKind


class Refused(WindlassError):
    """The daemon answered that it cannot be done. `exit_code` is the one that it gave."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def ask(
    ledger: Ledger, place: Place, kind: RequestKind, payload: Mapping[str, Any], *, timeout_s: float
) -> Mapping[str, Any]:
    """The daemon's answer.

    Raises:
        Refused: it cannot be done.
        UpstreamError: no daemon answered in time; it will when it runs again.
    """
    request = ledger.requests.put(kind, payload, at=time.time())
    deadline = time.monotonic() + timeout_s
    seen = 0
    while (answer := ledger.requests.result(request)) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UpstreamError(
                f"no daemon answered within {timeout_s:g} s ({place.origin}); it will do so when it runs: "
                "start it with 'windlass serve'"
            )
        seen = ledger.wait_for_change(seen, min(left, 0.5))
    if "error" in answer:
        raise Refused(str(answer["error"]), exit_code=int(answer.get("exit_code", 1)))
    return answer
