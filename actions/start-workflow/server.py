"""The HTTP API of a Windlass server, which may be away for a while."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from failures import Failed, Overdue

UNREACHABLE_S = 600.0
"""For so long a server may be away."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to wherever it leads."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Server:
    """The HTTP API, asked again until it answers, for `patience_s` in all."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        patience_s: float,
        sleep: Callable[[float], object],
        timeout_s: float = 60.0,
    ) -> None:
        self.address = address
        self._token = token
        self._deadline = time.monotonic() + patience_s
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer's body. Raises Failed."""
        return self.call("GET", path + ("?" + urlencode(query) if query else ""))[1]

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body. Repeats what was not answered: only what may be asked twice, or has a `key`.

        Raises:
            Failed: it is refused.
            Overdue: no answer came in time.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, headers=headers, method=method)
        asked_at = time.monotonic()
        if asked_at >= self._deadline:
            raise Overdue("the time of timeout-minutes is over")
        pause_s = 0.5
        while True:
            try:
                with self._opener.open(request, timeout=self._timeout_s) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    why, after_s = self._refusal(error)
            except (OSError, http.client.HTTPException, ValueError) as error:
                why, after_s = str(getattr(error, "reason", error)) or type(error).__name__, 0.0
            now = time.monotonic()
            left_s = min(self._deadline, asked_at + UNREACHABLE_S) - now
            if left_s <= 0:
                raise Overdue(f"{self.address} gave no answer in time: {why}")
            self._sleep(min(max(pause_s, after_s), left_s))
            pause_s = min(2 * pause_s, 15.0)

    def _refusal(self, error: urllib.error.HTTPError) -> tuple[str, float]:
        """Why, and for how long to wait. Raises Failed where waiting does not help."""
        try:
            problem = json.loads(error.read())
            why = "; ".join(str(problem[name]) for name in ("detail", "remedy") if name in problem)
        except (OSError, http.client.HTTPException, ValueError, TypeError):
            why = ""
        why = why or f"{error.code} {error.reason}"
        if error.code != 429 and error.code < 500:
            raise Failed(f"{self.address} refuses: {why}")
        after = error.headers.get("Retry-After", "")
        return why, float(after) if after.isdigit() else 0.0
