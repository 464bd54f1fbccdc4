"""The text of a token, and what it may do. Pure but for the randomness; used by `api` and `windlass tokens`.

A text is ``wl_ID_SECRET``: the id finds the record, the secret are 256 random bits. A digest without salt
or stretching is enough for those: nobody guesses them, so nobody can be slowed down in guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from windlass_runner.ledger.records import Scope, TokenRecord

PREFIX: Final = "wl"
_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 32
_LONGEST: Final = 200


def mint(
    name: str,
    *,
    scopes: Sequence[Scope],
    repositories: Sequence[str] = (),
    at: float,
    lifetime_s: float | None = None,
) -> tuple[TokenRecord, str]:
    """A new token and its text, which nothing can give again."""
    id = secrets.token_hex(_ID_BYTES)
    text = f"{PREFIX}_{id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    record = TokenRecord(
        id=id,
        name=name,
        digest=_digest(text),
        scopes=tuple(dict.fromkeys(scopes)),
        repositories=tuple(dict.fromkeys(repositories)),
        created_at=at,
        expires_at=None if lifetime_s is None else at + lifetime_s,
    )
    return record, text


def id_in(text: str) -> str | None:
    """The id that a text claims; None: it is no token at all."""
    match text.split("_", 2):
        case [prefix, id, secret] if prefix == PREFIX and id and secret and len(text) <= _LONGEST:
            return id if id.isascii() and id.isalnum() else None
    return None


def is_text_of(token: TokenRecord, text: str) -> bool:
    """Whether it is that token's text, told in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(token.digest, _digest(text))


def is_expired(token: TokenRecord, *, at: float) -> bool:
    """Whether its time is over."""
    return token.expires_at is not None and at >= token.expires_at


def allows(token: TokenRecord, scope: Scope) -> bool:
    """Whether it may do that; `admin` may do everything."""
    return scope in token.scopes or "admin" in token.scopes


def sees(token: TokenRecord, repository: str) -> bool:
    """Whether the repository of that name is for it."""
    return not token.repositories or repository in token.repositories


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
