"""Who may use the HTTP API. Written by `windlass tokens`, read by `web` with every call."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from windlass_runner.ledger.errors import TokenNameTaken, UnknownToken
from windlass_runner.ledger.records import TokenRecord
from windlass_runner.ledger.schema import tokens
from windlass_runner.ledger.store import Row, Store
from windlass_runner.ledger.texts import from_json, to_json

USE_NOTED_EVERY_S: Final = 60.0

TokenList = list[TokenRecord]


class Tokens:
    """The tokens of a ledger. One that was revoked is gone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, token: TokenRecord) -> None:
        """Keep a new one. Raises `TokenNameTaken`."""
        row = {
            "id": token.id,
            "name": token.name,
            "digest": token.digest,
            "scopes": to_json(token.scopes),
            "repositories": to_json(token.repositories),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
        }
        try:
            with self._store.write() as connection:
                connection.execute(insert(tokens).values(row))
        except IntegrityError as exc:
            raise TokenNameTaken(token.name) from exc

    def get(self, id: str) -> TokenRecord | None:
        """That one; None: there is none, or no more."""
        found = self._list(select(tokens).where(tokens.c.id == id))
        return found[0] if found else None

    def list(self) -> TokenList:
        """All, the oldest first."""
        return self._list(select(tokens).order_by(tokens.c.created_at, tokens.c.id))

    def revoke(self, id_or_name: str) -> TokenRecord:
        """Take it away: the next call with it is refused. What it was; raises `UnknownToken`."""
        meant = or_(tokens.c.id == id_or_name, tokens.c.name == id_or_name)
        with self._store.write() as connection:
            found = self._list(select(tokens).where(meant))
            if not found:
                raise UnknownToken(id_or_name)
            connection.execute(delete(tokens).where(tokens.c.id == found[0].id))
        return found[0]

    def note_use(self, token: TokenRecord, *, at: float) -> None:
        """Write down that it was used, unless that was done within the last minute."""
        if token.last_used_at is not None and 0 <= at - token.last_used_at < USE_NOTED_EVERY_S:
            return
        with self._store.write() as connection:
            connection.execute(update(tokens).where(tokens.c.id == token.id).values(last_used_at=at))

    def _list(self, query: Any) -> TokenList:
        return [_record(row) for row in self._store.rows(query)]


def _record(row: Row) -> TokenRecord:
    return TokenRecord(
        id=row["id"],
        name=row["name"],
        digest=row["digest"],
        scopes=tuple(from_json(row["scopes"])),
        repositories=tuple(from_json(row["repositories"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
    )
