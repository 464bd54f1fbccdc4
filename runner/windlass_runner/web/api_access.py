"""Who calls, and whether they may: bearer tokens (RFC 6750), their scopes and how often each may call."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_registry.server.rates import Buckets
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import Scope, TokenRecord
from windlass_runner.web.problems import HttpProblem
from windlass_runner.web.tokens import allows, id_in, is_expired, is_text_of

CALLS_PER_S: Final = 20.0
MOST_AT_ONCE: Final = 100
_REALM: Final = 'Bearer realm="windlass"'
_HOW: Final = "send 'Authorization: Bearer TOKEN'; 'windlass tokens create NAME --scope read' gives one"


def admit(ledger: Ledger, authorization: str | None, scope: Scope, *, at: float) -> TokenRecord:
    """The token that a call shows, where it may do that.

    Raises:
        HttpProblem: 401 without a valid token, 403 where it lacks the scope.
    """
    if not authorization:
        raise _unauthorized("the call shows no token", challenge=_REALM, remedy=_HOW)
    kind, _, text = authorization.partition(" ")
    text = text.strip()
    id = id_in(text) if kind.lower() == "bearer" else None
    token = ledger.tokens.get(id) if id is not None else None
    if token is None or not is_text_of(token, text):
        raise _unauthorized("the token is not one of this daemon", remedy=_HOW)
    if is_expired(token, at=at):
        remedy = "make another with 'windlass tokens create'"
        raise _unauthorized(f"the token '{token.name}' has expired", remedy=remedy)
    if not allows(token, scope):
        raise HttpProblem(
            HTTPStatus.FORBIDDEN,
            f"the token '{token.name}' lacks the scope '{scope}'",
            remedy=f"use one that was made with --scope {scope}",
            headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        )
    with contextlib.suppress(WindlassError):  # a disk that is full can still be read
        ledger.tokens.note_use(token, at=at)
    return token


def _unauthorized(
    detail: str, *, remedy: str, challenge: str = f'{_REALM}, error="invalid_token"'
) -> HttpProblem:
    headers = {"WWW-Authenticate": challenge}
    return HttpProblem(HTTPStatus.UNAUTHORIZED, detail, remedy=remedy, headers=headers)


class RateLimit:
    """`at_once` calls, then `per_s` a second, for each token. For one event loop's thread."""

    def __init__(
        self, clock: Callable[[], float], *, per_s: float = CALLS_PER_S, at_once: int = MOST_AT_ONCE
    ) -> None:
        self._buckets = Buckets(clock, per_s=per_s, at_once=at_once)
        self._per_s = per_s

    def count(self, token: TokenRecord) -> None:
        """One more call. Raises `HttpProblem` (429, which says when to come again)."""
        wait_s = self._buckets.take(token.id)
        if wait_s:
            raise HttpProblem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"the token '{token.name}' calls more than {self._per_s:g} times a second",
                remedy="wait as long as Retry-After says; to follow a run use wait_s, or an event stream",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
