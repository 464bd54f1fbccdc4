"""A forge's HTTP API that speaks JSON, its failures as ours. Used by the adapters of Gitea and GitLab."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from windlass_registry.errors import OperatorError, UpstreamError

MOST_BYTES: Final = 16 * 1024 * 1024
"""More than this of an answer is not read."""
_TIMEOUT: Final = Timeout(connect=10.0, read=30.0)
_REASON_CHARACTERS: Final = 300
_LATER: Final = frozenset([408, 425, 429])


class Refused(OperatorError):
    """The forge understood the request and does not do it. `reason` is in its own words."""

    def __init__(self, message: str, *, status: int, reason: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.reason = reason


class JsonApi:
    """The API below one address, as one token sees it. Safe to use from several threads.

    Paths begin with a slash and are quoted already. Every call may raise UpstreamError (it may go through
    later), OperatorError (we may not ask that at all) and Refused. `authorize` gives the headers that say who
    asks, as they are now.
    """

    def __init__(self, api_url: str, *, authorize: Callable[[], Mapping[str, str]]) -> None:
        self.url = api_url.rstrip("/")
        self._host = urlsplit(self.url).netloc
        self._authorize = authorize
        self._pool = PoolManager(maxsize=4, retries=False, timeout=_TIMEOUT)

    def fetch(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """The object that is there; an empty one for an empty answer."""
        found = self._get(path, query)
        if not isinstance(found, dict | None):
            raise UpstreamError(f"{self._host} answered GET {path} with something that is not an object")
        return found or {}

    def fetch_list(self, path: str, query: Mapping[str, str | int] | None = None) -> list[dict[str, Any]]:
        """The objects of the list that is there."""
        found = self._get(path, query)
        if not isinstance(found, list):
            raise UpstreamError(f"{self._host} answered GET {path} with something that is not a list")
        return [item for item in found if isinstance(item, dict)]

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Send an object."""
        self._call("POST", path, json.dumps(body).encode())

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object, and get the one that is there now."""
        made = self._call("POST", path, json.dumps(body).encode())
        if not isinstance(made, dict):
            raise UpstreamError(f"{self._host} answered POST {path} with something that is not an object")
        return made

    def change(self, path: str, body: Mapping[str, Any]) -> None:
        """Send what is to be otherwise of the object that is there."""
        self._call("PUT", path, json.dumps(body).encode())

    def _get(self, path: str, query: Mapping[str, str | int] | None) -> Any:
        return self._call("GET", path + (f"?{urlencode(query)}" if query else ""), None)

    def _call(self, method: str, target: str, body: bytes | None) -> Any:
        headers = {
            "Accept": "application/json",
            "User-Agent": f"windlass/{version('windlass')}",
            **self._authorize(),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method, self.url + target, body=body, headers=headers, redirect=False, preload_content=False
            )
            content = answer.read(MOST_BYTES + 1, decode_content=True)
            if len(content) > MOST_BYTES:
                answer.close()  # with what is unread the connection is of no more use
            answer.release_conn()
        except HTTPError as error:
            why = str(error)
            raise UpstreamError(f"{self._host} does not answer: {why.partition('): ')[2] or why}") from error
        if answer.status // 100 != 2:
            self._refuse(answer.status, answer.headers, _reason(content), f"{method} {target}")
        return self._value(content, f"{method} {target}")

    def _value(self, content: bytes, request: str) -> Any:
        if len(content) > MOST_BYTES:
            raise UpstreamError(f"{self._host} answered {request} with more than {MOST_BYTES} bytes")
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UpstreamError(f"{self._host} answered {request} with something that is not JSON") from error

    def _refuse(self, status: int, headers: Mapping[str, str], reason: str, request: str) -> None:
        said = f"{self._host} answered {request} with {status}" + (f": {reason}" if reason else "")
        if status in _LATER or status >= 500:
            raise UpstreamError(said, retry_after_s=_seconds(headers.get("Retry-After")))
        if 300 <= status < 400:
            remedy = "has it moved? name it by its new address, with http or https as the server wants it"
        elif status == 401:
            remedy = "the token does not hold any more: make a new one"
        elif status == 403:
            remedy = "let the token's owner have that right, and the token the scope for it"
        elif status == 404:
            remedy = "check `api_url` and the repository's `name`, and that the token's owner can see it"
        else:
            remedy = None
        raise Refused(said, status=status, reason=reason, remedy=remedy)


def page_of_proposal(found: Mapping[str, Any], key: str, forge: str) -> str:
    """The page of a pull request, out of what the API says of it."""
    page = found.get(key)
    if not isinstance(page, str) or not page:
        raise UpstreamError(f"{forge} gave a pull request without an address")
    return page


def _reason(content: bytes) -> str:
    """What an error's body says in words, if anything, short and on one line."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    told = (data.get("message") or data.get("error") or "") if isinstance(data, dict) else ""
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_REASON_CHARACTERS]


def _seconds(header: str | None) -> float | None:
    """What `Retry-After` says in seconds; None where it says a date, or nothing."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
