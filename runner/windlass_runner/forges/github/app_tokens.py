"""Who the daemon is to GitHub: a person's token, a GitHub App, or an App where it is installed.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import jwt

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.github.client import Client, NotFound

_BEHIND_S: Final = 60
"""How far back a JWT is dated, against clocks that differ."""
_JWT_LIFE_S: Final = 540
"""GitHub takes ten minutes at most."""
_AHEAD_S: Final = 300.0
"""How long before its end an installation's token is renewed: longer than any git call takes."""


class PersonalToken:
    """A token that lies somewhere; it is read again when it was refused."""

    def __init__(self, name: str, read: Callable[[], str | None]) -> None:
        self.name = name
        self._read = read
        self._token: str | None = None

    def token(self, now: float) -> str:
        """See `Bearer`. Raises OperatorError where there is none."""
        if self._token is None:
            self._token = self._read()
        if not self._token:
            raise OperatorError(f"{self.name} has no token", remedy="set the variable or file that it names")
        return self._token

    def renew(self) -> bool:
        """Whether another one lies there by now."""
        refused, self._token = self._token, self._read()
        return self._token != refused


class AppKey:
    """The App itself, by a JWT that its private key signs."""

    def __init__(self, name: str, app_id: int, read_key: Callable[[], str | None]) -> None:
        self.name = name
        self._app_id = app_id
        self._lock = threading.Lock()
        self._read_key = read_key
        self._token = ""
        self._ends_at = float("-inf")

    def token(self, now: float) -> str:
        """See `Bearer`. Raises OperatorError where the key is not one."""
        with self._lock:
            if not now < self._ends_at - _BEHIND_S <= now + _JWT_LIFE_S:
                ends_at = now + _JWT_LIFE_S
                claims = {"iat": int(now) - _BEHIND_S, "exp": int(ends_at), "iss": str(self._app_id)}
                self._token, self._ends_at = self._sign(claims), ends_at
            return self._token

    def renew(self) -> bool:
        """GitHub's time is known better after its refusal, and the key may have been replaced."""
        self._ends_at = float("-inf")
        return True

    def _sign(self, claims: dict[str, Any]) -> str:
        key = self._read_key()
        if not key:
            raise OperatorError(
                f"{self.name} has no private key", remedy="set `private_key` to the App's .pem file"
            )
        try:
            return jwt.encode(claims, key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise OperatorError(
                f"the private key of {self.name} cannot be used",
                remedy="download it again from the App's page",
            ) from error


class InstallationToken:
    """An App where it is installed, by a token of an hour. `app` asks as the App itself."""

    def __init__(self, name: str, *, app: Client, installation: int) -> None:
        self.name = name
        self._app = app
        self._lock = threading.Lock()
        self._installation = installation
        self._token = ""
        self._ends_at = float("-inf")

    def token(self, now: float) -> str:
        """See `Bearer`. Renewed ahead of its end."""
        with self._lock:
            if not now < self._ends_at - _AHEAD_S:
                self._token, self._ends_at = self._fetch()
            return self._token

    def renew(self) -> bool:
        """There is always another one, unless the App is gone from there."""
        self._ends_at = float("-inf")
        return True

    def _fetch(self) -> tuple[str, float]:
        try:
            found = self._app.request("POST", f"/app/installations/{self._installation}/access_tokens")
        except NotFound as error:
            raise NotInstalled(
                f"{self.name} is not installed any more (installation {self._installation})",
                remedy="install the App again at GitHub, or take out `installation_id`",
            ) from error
        try:
            return str(found["token"]), datetime.fromisoformat(found["expires_at"]).timestamp()
        except (KeyError, TypeError, ValueError) as error:
            raise UpstreamError(f"{self.name}: GitHub gave no token") from error


class NotInstalled(OperatorError):
    """The App is not (any more) where it is needed."""
