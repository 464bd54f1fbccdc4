"""What a token of the daemon's API may do. Pure but for the randomness; for `api` and `windlass tokens`."""

from __future__ import annotations

from collections.abc import Sequence

from windlass_registry.server import token_texts
from windlass_registry.server.token_texts import id_in
from windlass_runner.ledger.records import Scope, TokenRecord


def mint(
    name: str,
    *,
    scopes: Sequence[Scope],
    repositories: Sequence[str] = (),
    at: float,
    lifetime_s: float | None = None,
) -> tuple[TokenRecord, str]:
    """A new token and its text, which nothing can give again."""
    id, text = token_texts.new_text()
    record = TokenRecord(
        id=id,
        name=name,
        digest=token_texts.digest_of(text),
        scopes=tuple(dict.fromkeys(scopes)),
        repositories=tuple(dict.fromkeys(repositories)),
        created_at=at,
        expires_at=None if lifetime_s is None else at + lifetime_s,
    )
    return record, text


def is_text_of(token: TokenRecord, text: str) -> bool:
    """Whether it is that token's text."""
    return token_texts.is_text_of(token.digest, text)


def is_expired(token: TokenRecord, *, at: float) -> bool:
    """Whether its time is over."""
    return token.expires_at is not None and at >= token.expires_at


def allows(token: TokenRecord, scope: Scope) -> bool:
    """Whether it may do that; `admin` may do everything."""
    return scope in token.scopes or "admin" in token.scopes


def sees(token: TokenRecord, repository: str) -> bool:
    """Whether the repository of that name is for it."""
    return not token.repositories or repository in token.repositories


__all__ = ["allows", "id_in", "is_expired", "is_text_of", "mint", "sees"]
