"""One call of the API, with what its answer is made of: the token, the ledger, the query, the body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from windlass_registry.near_words import did_you_mean
from windlass_runner.forges.git_errors import without_credentials
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord, TokenRecord
from windlass_runner.run.storage import Storage
from windlass_runner.web.api_news import News
from windlass_runner.web.links import Links
from windlass_runner.web.problems import HttpProblem, unknown_run, unreadable
from windlass_runner.web.tokens import sees

LARGEST_BODY_BYTES: Final = 256 * 1024
BODY_TIMEOUT_S: Final = 30.0
_LARGEST_NUMBER: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the API reads and asks. `ledger` gives None while the daemon waits to begin."""

    ledger: Callable[[], Ledger | None]
    storage: Storage
    repositories: Mapping[str, str]
    """The addresses of those that are watched, by name."""
    clock: Callable[[], float]
    is_stopping: Callable[[], bool]
    """Whether the server is about to end: then nobody waits any more."""
    patience_s: float = 10.0
    """How long a call waits for what the daemon answers, before it gives a place to look for it."""
    links: Callable[[], Links | None] = lambda: None
    """What links of apps are made with; None: nobody was told how to reach the daemon."""

    def name_of(self, repository: str) -> str:
        """The name of a run's repository; of one that is watched no more, its address."""
        names = (name for name, url in self.repositories.items() if url == repository)
        return next(names, without_credentials(repository))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of somebody who may make it."""

    request: Request
    token: TokenRecord
    ledger: Ledger
    news: News
    source: Source

    def sees(self, repository: str) -> bool:
        """Whether runs of that address are for the token."""
        return sees(self.token, self.source.name_of(repository))

    def visible(self) -> dict[str, str]:
        """The watched repositories that the token may see: addresses by name."""
        return {name: url for name, url in self.source.repositories.items() if sees(self.token, name)}

    def within(self, repository: str | None) -> list[str] | None:
        """The addresses of the repositories to look in, where this one is asked for (its name or address),
        or none; None: in all."""
        if repository is not None:
            url = self.source.repositories.get(repository, repository)
            return [url] if self.sees(url) else []
        return list(self.visible().values()) if self.token.repositories else None

    def run(self) -> RunRecord:
        """The run that the path names. Blocks. Raises `UnknownRun`, `HttpProblem`."""
        run = self.ledger.runs.get(self.request.path_params["run"])
        if not self.sees(run.repository):
            raise unknown_run(run.id)
        return run

    def query(self, *known: str) -> Query:
        """The query, where it has no other parameters. Raises `HttpProblem`."""
        for name in self.request.query_params:
            if name not in known:
                remedy = did_you_mean(name, known) or "this path takes none"
                raise unreadable(f"there is no query parameter '{name}' here", remedy=remedy)
        return Query(self.request.query_params)


class Query:
    """The parameters of a query. All methods raise `HttpProblem`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """As it stands; None where it is missing."""
        return self._values.get(name)

    def word(self, name: str, words: Collection[str]) -> str | None:
        """One of these words, or None."""
        value = self._values.get(name)
        if value is not None and value not in words:
            raise unreadable(f"{name}={value}: not one of {', '.join(words)}")
        return value

    def whole(self, name: str, default: int, *, least: int = 0, most: int = _LARGEST_NUMBER) -> int:
        """A whole number within bounds."""
        value = self._values.get(name, str(default))
        if value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most:
            return int(value)
        raise unreadable(f"{name}={value}: not a whole number from {least} to {most}")

    def seconds(self, name: str, *, most: float) -> float:
        """A length of time, 0 where it is missing."""
        value = self._values.get(name, "0")
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= most:
            raise unreadable(f"{name}={value}: not a number of seconds from 0 to {most:g}")
        return seconds


async def read_object(request: Request, *known: str) -> dict[str, Any]:
    """The body as a JSON object with no other members than these; no body is an empty one.

    Raises:
        HttpProblem: 400, 408, 413, 415 or 422.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read_body(request)
    except TimeoutError:
        raise _refused(HTTPStatus.REQUEST_TIMEOUT, "the body took too long") from None
    except ClientDisconnect as error:
        raise unreadable("the body was cut off") from error
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is of the type '{kind}'",
            remedy="send JSON, with 'Content-Type: application/json'",
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable("the body is not JSON") from error
    if not isinstance(found, dict):
        raise invalid("the body is not a JSON object")
    for name in found:
        if name not in known:
            raise invalid(f"there is no '{name}' here", remedy=did_you_mean(name, known))
    return found


def invalid(detail: str, *, remedy: str | None = None) -> HttpProblem:
    """It can be read, and cannot be done."""
    return HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, remedy=remedy)


async def _read_body(request: Request) -> bytes:
    parts: list[bytes] = []
    size_bytes = 0
    async for part in request.stream():
        size_bytes += len(part)
        if size_bytes > LARGEST_BODY_BYTES:
            raise _refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST_BODY_BYTES:,} bytes"
            )
        parts.append(part)
    return b"".join(parts)


def _refused(status: HTTPStatus, detail: str) -> HttpProblem:
    return HttpProblem(status, detail, headers={"Connection": "close"})
