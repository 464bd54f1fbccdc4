"""Credentials for GitHub, and the clients that speak with them: one for each installation of an App. Used by
`forge`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.github.app_tokens import (
    AppKey,
    InstallationToken,
    NotInstalled,
    PersonalToken,
)
from windlass_runner.forges.github.client import Bearer, Client, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Credentials for one GitHub: a personal token, or an App's number and key. Secrets are read late."""

    name: str
    api_url: str = "https://api.github.com"
    read_token: Callable[[], str | None] | None = None
    app_id: int | None = None
    read_key: Callable[[], str | None] | None = None
    installation: int | None = None
    """None: found for each repository."""


class Access:
    """The clients of one account: one for each installation, with its own pace. From several threads."""

    def __init__(
        self, account: Account, *, clock: Callable[[], float], wait: Callable[[float], object], timeout_s: int
    ) -> None:
        self.account = account
        self._clock = clock
        self._wait = wait
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._clients: dict[int, Client] = {}
        self._installations: dict[str, int] = {}
        bearer: Bearer = (
            AppKey(account.name, account.app_id, account.read_key or _nothing)
            if account.app_id is not None
            else PersonalToken(account.name, account.read_token or _nothing)
        )
        self._own = self._client(bearer)
        self._login: str | None = None

    def client(self, repository: str) -> Client:
        """Who may speak to that repository (`owner/name`)."""
        if self.account.app_id is None:
            return self._own
        with self._lock:
            number = self.account.installation or self._installations.get(repository)
            if number is None:
                number = self._installations[repository] = self._find_installation(repository)
            if number not in self._clients:
                bearer = InstallationToken(self.account.name, app=self._own, installation=number)
                self._clients[number] = self._client(bearer)
            return self._clients[number]

    @property
    def own(self) -> Client:
        """Who asks as the App itself, or as the person."""
        return self._own

    def forget(self, repository: str) -> None:
        """Its installation may be another by now."""
        with self._lock:
            self._installations.pop(repository, None)

    def login(self) -> str:
        """Who writes with this account: a person, or the App's bot."""
        if self._login is None:
            is_app = self.account.app_id is not None
            found = self.own.request("GET", "/app" if is_app else "/user")
            word = found.get("slug" if is_app else "login") if isinstance(found, dict) else None
            if not isinstance(word, str):
                raise OperatorError(f"GitHub does not say who {self.account.name} is")
            self._login = f"{word}[bot]" if is_app else word
        return self._login

    def _find_installation(self, repository: str) -> int:
        try:
            found = self._own.request("GET", f"/repos/{quote(repository)}/installation")
        except NotFound as error:
            raise NotInstalled(
                f"{self.account.name} is not installed for {repository}",
                remedy="install the App for that repository at GitHub",
            ) from error
        if not isinstance(found, dict) or not isinstance(found.get("id"), int):
            raise UpstreamError("GitHub gave an installation without a number")
        number: int = found["id"]
        return number

    def _client(self, bearer: Bearer) -> Client:
        return Client(
            api_url=self.account.api_url,
            bearer=bearer,
            clock=self._clock,
            wait=self._wait,
            timeout_s=self._timeout_s,
        )


def _nothing() -> None:
    return None
