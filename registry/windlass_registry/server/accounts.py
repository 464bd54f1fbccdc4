"""What a registry's server keeps beside what is signed: who may send, and how often a package was fetched.

In a small SQL database (SQLite in the registry's `private/` folder, or PostgreSQL by settings). Losing it
loses no release: tokens are made anew, counts begin again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Column,
    Date,
    Engine,
    Float,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from windlass_registry.errors import OperatorError
from windlass_registry.server.token_texts import digest_of, id_in, is_text_of, new_text

_METADATA: Final = MetaData()
_TOKENS: Final = Table(
    "registry_tokens",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("namespace", Text, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
)
_COUNTS: Final = Table(
    "registry_counts",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
)
_USE_NOTED_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherToken:
    """Who may send publications. The text itself is nowhere: only its digest."""

    id: str
    name: str
    namespace: str | None
    """The one namespace that it is for; None: all, and the registry's own roles."""
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None

    def covers(self, namespace: str | None) -> bool:
        """Whether it may send for a namespace (None: for the registry's own roles)."""
        return self.namespace is None or (namespace is not None and self.namespace == namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """How often the archive of a release was fetched on a day, and what for."""

    name: str
    version: str
    purpose: str
    """`run` or `subscribe`."""
    count: int


class Accounts:
    """The server's database. Safe to use from several threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Accounts:
        """Connect, and make what is not there yet.

        Raises:
            OperatorError: it cannot be reached or written to.
        """
        try:
            address = make_url(url)
            if address.get_backend_name() == "sqlite" and address.database:
                Path(address.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            engine = create_engine(address)
            if address.get_backend_name() == "sqlite":
                event.listen(engine, "connect", _prepare_sqlite)
            _METADATA.create_all(engine)
        except (SQLAlchemyError, OSError) as error:
            raise _unusable(error) from error
        return cls(engine)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def add_token(
        self, name: str, *, namespace: str | None, at: float, lifetime_s: float | None = None
    ) -> tuple[PublisherToken, str]:
        """A new token, and its text, which nothing can give again.

        Raises:
            OperatorError: the name is taken.
        """
        id, text = new_text()
        expires_at = None if lifetime_s is None else at + lifetime_s
        row = {"id": id, "name": name, "namespace": namespace, "created_at": at, "expires_at": expires_at}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_TOKENS).values(**row, digest=digest_of(text)))
        except IntegrityError as error:
            raise OperatorError(f"there is a token '{name}' already", remedy="choose another name") from error
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        return PublisherToken(
            id=id, name=name, namespace=namespace, created_at=at, expires_at=expires_at
        ), text

    def tokens(self) -> tuple[PublisherToken, ...]:
        """All, the oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_TOKENS).order_by(_TOKENS.c.created_at)).mappings()
            return tuple(_token(row) for row in rows)

    def revoke_token(self, name_or_id: str) -> PublisherToken:
        """Take one away: the next call with it is refused. Raises OperatorError where there is none."""
        meant = or_(_TOKENS.c.id == name_or_id, _TOKENS.c.name == name_or_id)
        with self._engine.begin() as connection:
            row = connection.execute(select(_TOKENS).where(meant)).mappings().first()
            if row is None:
                raise OperatorError(
                    f"there is no token '{name_or_id}'", remedy="list them with 'tokens list'"
                )
            connection.execute(delete(_TOKENS).where(_TOKENS.c.id == row["id"]))
            return _token(row)

    def token_of(self, text: str, *, at: float) -> PublisherToken | None:
        """The token whose text this is; None where it is none of ours, or its time is over."""
        id = id_in(text)
        if id is None:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(select(_TOKENS).where(_TOKENS.c.id == id)).mappings().first()
        if row is None or not is_text_of(row["digest"], text):
            return None
        token = _token(row)
        if token.expires_at is not None and at >= token.expires_at:
            return None
        if token.last_used_at is None or at - token.last_used_at >= _USE_NOTED_EVERY_S:
            with self._engine.begin() as connection:
                connection.execute(update(_TOKENS).where(_TOKENS.c.id == id).values(last_used_at=at))
        return token

    def count(self, fetched: Iterable[Fetched], *, day: str) -> None:
        """Add to the counts of a day (`2026-11-21`)."""
        from datetime import date

        on = date.fromisoformat(day)
        with self._engine.begin() as connection:
            for one in fetched:
                key = {"name": one.name, "version": one.version, "day": on, "purpose": one.purpose}
                same = [getattr(_COUNTS.c, column) == value for column, value in key.items()]
                more = update(_COUNTS).where(*same).values(count=_COUNTS.c.count + one.count)
                if not connection.execute(more).rowcount:
                    connection.execute(insert(_COUNTS).values(**key, count=one.count))

    def fetched(self, name: str | None = None) -> tuple[Fetched, ...]:
        """The counts over all days, of one package or of all."""
        columns = (_COUNTS.c.name, _COUNTS.c.version, _COUNTS.c.purpose)
        query = select(*columns, func.sum(_COUNTS.c.count).label("count")).group_by(*columns)
        if name is not None:
            query = query.where(_COUNTS.c.name == name)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return tuple(
                Fetched(
                    name=row["name"], version=row["version"], purpose=row["purpose"], count=int(row["count"])
                )
                for row in rows
            )


def _token(row: RowMapping) -> PublisherToken:
    return PublisherToken(**{key: value for key, value in row.items() if key != "digest"})


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _unusable(error: Exception) -> OperatorError:
    reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return OperatorError(
        f"the registry's database cannot be used: {reason}", remedy="see its address and rights"
    )
