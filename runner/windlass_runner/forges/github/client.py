"""The one file that speaks to GitHub, through PyGithub: requests and their failures, not their meaning.

Only addresses that we made are called, never one out of an answer: servers behind proxies and simulators
give others. Redirects of reads are followed by PyGithub; a write that is answered with one is `Moved`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, NoReturn, Protocol

import github
import requests
from github.Requester import Requester

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import NotYet
from windlass_runner.forges.github.headers import Headers, limit_s, next_page, told_time
from windlass_runner.forges.github.pacing import Pacer

_PAGE: Final = 100
_MOST_PAGES: Final = 100
_LONGEST_WAIT_S: Final = 1.5
"""A write that has to wait for longer is put off."""
_PUT_OFF_S: Final = 2.0
_SERVER_ERROR: Final = 500
_LONGEST_GIST: Final = 200
Json = Any


class NotFound(OperatorError):
    """There is no such thing, or the credentials do not reach it: GitHub does not tell which."""


class Moved(UpstreamError):
    """The repository has another name now; ask for it, and write again."""


class CommitUnknown(OperatorError):
    """GitHub has no such commit."""


class Bearer(Protocol):
    """Who we are to GitHub. Safe to use from several threads."""

    name: str

    def token(self, now: float) -> str:
        """What to show; `now` is GitHub's time as far as it is known. Raises OperatorError, UpstreamError."""
        ...

    def renew(self) -> bool:
        """The token was refused. Whether there may be another one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read, and the mark by which GitHub knows whether it has changed since; None: it gave none.
    `is_whole`: of a list, there are no further pages."""

    found: Json
    etag: str | None
    is_whole: bool


class Client:
    """GitHub as one bearer sees it. Safe to use from several threads: requests go out one by one,
    as GitHub asks for, and writes at the pace of `Pacer`.

    Every call may raise UpstreamError (try again), OperatorError (refused) and NotFound.
    """

    def __init__(
        self,
        *,
        api_url: str,
        bearer: Bearer,
        clock: Callable[[], float],
        wait: Callable[[float], object],
        timeout_s: int = 15,
    ) -> None:
        self._bearer = bearer
        self._clock = clock
        self._wait = wait
        self._pacer = Pacer()
        self._lock = threading.RLock()
        self._skew_s = 0.0
        self._scopes: str | None = None
        self._token = ""
        self._requester: Requester = github.Github(
            base_url=api_url,
            timeout=timeout_s,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            user_agent=f"windlass/{version('windlass')}",
            lazy=True,
        ).requester

    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Json = None
    ) -> Json:
        """One call that makes no content; the answer's JSON."""
        return self._ask(method, path, query=query, body=body)[1]

    def read_if_changed(self, path: str, *, query: Mapping[str, Any], etag: str | None) -> Read | None:
        """A read that GitHub does not count, and answers with nothing (None), where `etag` still holds."""
        known = {"If-None-Match": etag} if etag is not None else {}
        headers, found = self._ask("GET", path, query=query, headers=known)
        if found is None:
            return None
        is_whole = not next_page(headers)
        return Read(found=found, etag=headers.get("etag"), is_whole=is_whole)

    def write(self, method: str, path: str, body: Json, *, is_urgent: bool = True) -> Json:
        """One call that makes or changes something people see, in its turn.

        Raises:
            NotYet: the pace does not allow it for a while.
            Moved: the repository has another name.
        """
        while True:
            with self._lock:
                pause_s = self._pacer.wait_s(self._clock(), is_urgent=is_urgent)
                if not pause_s:
                    try:
                        return self._exchange(method, path, body=body)[1]
                    finally:
                        self._pacer.note_write(self._clock())
            if pause_s > _LONGEST_WAIT_S:
                raise NotYet("GitHub's limits ask for patience", retry_after_s=min(pause_s, _PUT_OFF_S))
            self._wait(pause_s)

    def pages(self, path: str, *, query: Mapping[str, Any], items: str | None = None) -> Iterator[Json]:
        """The members of a list, page after page, as the header `Link` leads; a page may be short of what
        was asked for. `items`: under which key they stand where the answer is an object."""
        following: Mapping[str, str] = {}
        for _ in range(_MOST_PAGES):
            headers, found = self._ask("GET", path, query={**query, "per_page": _PAGE, **following})
            members = found.get(items) if isinstance(found, dict) else found
            if not isinstance(members, list):
                raise _not_github(path)
            yield from members
            following = next_page(headers)
            if not following:
                return

    def token(self) -> str:
        """The bearer's token as it is good now. Waits for no request but those that get one."""
        return self._bearer.token(self._now())

    @property
    def skew_s(self) -> float:
        """How far GitHub's clock is ahead of ours, as its last answer told."""
        return self._skew_s

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """What a classic token may do, as its last answer told; None: it is of another kind."""
        if self._scopes is None:
            return None
        return tuple(word.strip() for word in self._scopes.split(",") if word.strip())

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json = None,
        headers: Headers | None = None,
    ) -> tuple[Headers, Json]:
        """One call outside the pace of writes: the answer's headers and JSON."""
        with self._lock:
            held_s = self._pacer.held_s(self._clock())
            if held_s:
                raise UpstreamError("GitHub asked us to wait", retry_after_s=held_s)
            return self._exchange(method, path, query=query, body=body, headers=headers)

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json = None,
        headers: Headers | None = None,
    ) -> tuple[Headers, Json]:
        try:
            return self._send(method, path, query, body, headers)
        except github.GithubException as error:
            if error.status != 401 or not self._bearer.renew():
                self._explain(error, path)
        try:
            return self._send(method, path, query, body, headers)
        except github.GithubException as error:
            self._explain(error, path)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Json,
        sent: Headers | None,
    ) -> tuple[Headers, Json]:
        self._authorize()
        try:
            headers, found = self._requester.requestJsonAndCheck(
                method, path, parameters=dict(query or {}), headers=dict(sent or {}), input=body
            )
        except github.GithubException as error:
            self._note_time(error.headers or {})
            raise
        except (requests.RequestException, ValueError) as error:
            raise UpstreamError(f"{self._bearer.name}: no answer from GitHub: {_gist(error)}") from error
        except (AssertionError, RuntimeError) as error:
            raise OperatorError(
                f"{self._bearer.name}: GitHub sent us elsewhere: {error}", remedy="check `api_url`"
            ) from error
        self._note_time(headers)
        self._scopes = headers.get("x-oauth-scopes")
        if isinstance(found, dict) and found.get("message") == "Moved Permanently":
            raise Moved(f"{path} has moved")
        if not isinstance(found, dict | list | None) or (isinstance(found, dict) and set(found) == {"data"}):
            raise _not_github(path)
        return headers, found

    def _authorize(self) -> None:
        token = self.token()
        if token != self._token:
            self._requester.close()
            self._requester = self._requester.withAuth(github.Auth.AppAuthToken(token))  # `Bearer`: all kinds
            self._token = token

    def _note_time(self, headers: Headers) -> None:
        told = told_time(headers)
        if told is not None:
            self._skew_s = told - self._clock()

    def _now(self) -> float:
        """GitHub's time, as far as it is known."""
        return self._clock() + self._skew_s

    def _explain(self, error: github.GithubException, path: str) -> NoReturn:
        """What a refusal means for us."""
        told = error.data.get("message") if isinstance(error.data, dict) else None
        text = f"{self._bearer.name}: GitHub says {error.status} to {path}: {told or 'no reason'}"
        pause_s = limit_s(
            error.status,
            error.headers or {},
            now=self._now(),
            is_limit=isinstance(error, github.RateLimitExceededException),
        )
        if pause_s is not None:
            self._pacer.hold(self._clock() + pause_s)
            raise UpstreamError(text, retry_after_s=pause_s) from error
        match error.status:
            case 401:
                raise OperatorError(text, remedy="give the daemon credentials that hold") from error
            case 403:
                raise OperatorError(text, remedy="give it the permission at GitHub") from error
            case 404 | 410:
                raise NotFound(text, remedy="check the name, and that the credentials reach it") from error
            case 422 if "No commit found" in str(error.data):
                raise CommitUnknown(text) from error
            case status if status >= _SERVER_ERROR:
                raise UpstreamError(text) from error
        raise OperatorError(text) from error


def _not_github(path: str) -> UpstreamError:
    return UpstreamError(f"what answered to {path} is not GitHub's API")


def _gist(error: Exception) -> str:
    """The end of what it says, from the beginning of a word: there stands what is behind it all."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    text = " ".join(str(error).split())
    if len(text) <= _LONGEST_GIST:
        return text or repr(error)
    end = text[-_LONGEST_GIST:]
    return f"… {end.partition(' ')[2] or end}"
