"""What a registry's server keeps beside what is signed: who may send, and how often a package was fetched.

In a small SQL database (SQLite in the registry's `private/` folder, or PostgreSQL by settings, there in a
schema of its own). Losing it loses no release: tokens are made anew, counts begin again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
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
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.server.token_texts import digest_of, id_in, is_text_of, new_text

SCHEMA: Final = "windlass_registry"
"""Of the tables in PostgreSQL, so that a daemon's ledger may lie in the same database."""
_CONNECT_S: Final = 5
_LOCK: Final = 7_254_101
"""Of who makes the tables: two that begin at once would both make them."""
_MENDED_BY_OWNER: Final = ("28", "3D", "3F", "42501", "25006")
"""Beginnings of PostgreSQL's states: no such user, database or schema, no right to it, read-only."""
_PASSING: Final = ("starting up", "shutting down", "too many", "remaining")

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

    def __init__(self, engine: Engine, *, shown: str) -> None:
        self._engine = engine
        self._shown = shown
        self._mutex = Lock()
        self._is_ready = False

    @classmethod
    def open(cls, url: str) -> Accounts:
        """Connect, and make what is not there yet. A database that does not answer is tried again later.

        Raises:
            OperatorError: it cannot be used, and no waiting mends that.
        """
        try:
            address = make_url(url)
            if address.get_backend_name() == "sqlite" and address.database:
                Path(address.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            engine = _engine(address)
        except ArgumentError as error:
            remedy = "write it as postgresql://user:password@host:port/database"
            raise OperatorError(
                "the address of the registry's database cannot be read", remedy=remedy
            ) from error
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise _unusable(error, url.partition("://")[0]) from error
        made = cls(engine, shown=address.render_as_string(hide_password=True))
        with suppress(UpstreamError), made._begin():
            pass
        return made

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """One transaction, in a database that has its tables."""
        try:
            with self._mutex:
                if not self._is_ready:
                    _make_tables(self._engine)
                    self._is_ready = True
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise _unusable(error, self._shown) from error

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
            with self._begin() as connection:
                connection.execute(_TOKENS.insert().values(**row, digest=digest_of(text)))
        except IntegrityError as error:
            raise OperatorError(f"there is a token '{name}' already", remedy="choose another name") from error
        return PublisherToken(
            id=id, name=name, namespace=namespace, created_at=at, expires_at=expires_at
        ), text

    def tokens(self) -> tuple[PublisherToken, ...]:
        """All, the oldest first."""
        with self._begin() as connection:
            rows = connection.execute(select(_TOKENS).order_by(_TOKENS.c.created_at)).mappings()
            return tuple(_token(row) for row in rows)

    def revoke_token(self, name_or_id: str) -> PublisherToken:
        """Take one away: the next call with it is refused. Raises OperatorError where there is none."""
        meant = or_(_TOKENS.c.id == name_or_id, _TOKENS.c.name == name_or_id)
        with self._begin() as connection:
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
        with self._begin() as connection:
            row = connection.execute(select(_TOKENS).where(_TOKENS.c.id == id)).mappings().first()
        if row is None or not is_text_of(row["digest"], text):
            return None
        token = _token(row)
        if token.expires_at is not None and at >= token.expires_at:
            return None
        if token.last_used_at is None or at - token.last_used_at >= _USE_NOTED_EVERY_S:
            with self._begin() as connection:
                connection.execute(update(_TOKENS).where(_TOKENS.c.id == id).values(last_used_at=at))
        return token

    def count(self, fetched: Iterable[Fetched], *, day: str) -> None:
        """Add to the counts of a day (`2026-11-21`)."""
        from datetime import date

        on = date.fromisoformat(day)
        insert = postgresql_insert if self._engine.dialect.name == "postgresql" else sqlite_insert
        with self._begin() as connection:
            for one in fetched:
                row = {"name": one.name, "version": one.version, "day": on, "purpose": one.purpose}
                new = insert(_COUNTS).values(**row, count=one.count)
                more = {"count": _COUNTS.c.count + one.count}
                connection.execute(new.on_conflict_do_update(index_elements=list(row), set_=more))

    def fetched(self, name: str | None = None) -> tuple[Fetched, ...]:
        """The counts over all days, of one package or of all."""
        columns = (_COUNTS.c.name, _COUNTS.c.version, _COUNTS.c.purpose)
        query = select(*columns, func.sum(_COUNTS.c.count).label("count")).group_by(*columns)
        if name is not None:
            query = query.where(_COUNTS.c.name == name)
        with self._begin() as connection:
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


def _engine(address: URL) -> Engine:
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_S},
    )
    return engine.execution_options(schema_translate_map={None: SCHEMA})


def _make_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        _METADATA.create_all(connection)


def _unusable(error: Exception, shown: str) -> WindlassError:
    """UpstreamError where waiting may help."""
    origin = getattr(error, "orig", None)
    reason = str(origin or error).partition("\n")[0]
    state = str(getattr(origin, "sqlstate", None) or "")
    # What a server says to a new connection comes without a state.
    is_no = not state and "FATAL:" in str(origin) and not any(words in str(origin) for words in _PASSING)
    is_owners = is_no or state.startswith(_MENDED_BY_OWNER)
    if isinstance(error, OperationalError) and not is_owners and not shown.startswith("sqlite"):
        return UpstreamError(f"the registry's database {shown} does not answer: {reason}", retry_after_s=5)
    return OperatorError(
        f"the registry's database cannot be used: {reason}", remedy="see its address and rights"
    )
