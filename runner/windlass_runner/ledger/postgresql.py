"""A ledger in PostgreSQL, for those who keep one anyway. Needs the extra `postgresql` (psycopg)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_runner.ledger.errors import LedgerFull, LedgerUnusable

CHANNEL: Final = "windlass_ledger"
_WRITERS_LOCK: Final = 7_461_726_352  # any number that nobody else takes
_LOCK_TIMEOUT: Final = "10s"
_MENDED_BY_TIME: Final = ("08", "40", "53", "55P03", "57")
_MENDED_BY_OWNER: Final = ("28", "3D", "3F", "42501", "25006")


class PostgresqlBackend:
    """One database. Writers take turns by an advisory lock, so that events appear in their order."""

    def __init__(self, address: str) -> None:
        try:
            self._url = make_url(address).set(drivername="postgresql+psycopg")
        except ArgumentError as exc:
            raise OperatorError(
                "the address of the ledger's database cannot be read",
                remedy="write it as postgresql://user:password@host:port/database",
            ) from exc
        self._place = self._url.render_as_string(hide_password=True)

    def writer(self) -> Engine:
        engine = self._engine(pool_size=1)
        event.listen(engine, "connect", _listen)
        return engine

    def reader(self) -> Engine:
        return self._engine(pool_size=4, isolation_level="AUTOCOMMIT")

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")

    def announce(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def foreign_changes(self, connection: Connection) -> bool:
        driver: Any = connection.connection.dbapi_connection
        own = driver.info.backend_pid
        return any(notice.pid != own for notice in list(driver.notifies(timeout=0)))

    def has_tables(self, connection: Connection) -> bool:
        return bool(
            connection.exec_driver_sql(
                "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
            ).scalar_one()
        )

    def has_table(self, connection: Connection, name: str) -> bool:
        found = connection.exec_driver_sql("SELECT to_regclass(%s)", (name,))
        return found.scalar_one() is not None

    def translate(self, error: DBAPIError) -> WindlassError | None:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state == "53100":
            return LedgerFull(
                f"no space left for the ledger {self._place}",
                remedy="free space on the database's host; it goes on by itself",
            )
        if state.startswith(_MENDED_BY_OWNER) or _is_refused(error):
            return LedgerUnusable(
                f"the ledger {self._place} cannot be used: {_first_line(error)}",
                remedy="check the user, the password, the database and its rights in `[storage] database`",
            )
        if state.startswith(_MENDED_BY_TIME) or error.connection_invalidated or _is_unreachable(error):
            return UpstreamError(
                f"the ledger {self._place} does not answer: {_first_line(error)}", retry_after_s=5
            )
        return None

    def close(self) -> None:
        pass

    def _engine(self, *, pool_size: int, isolation_level: str | None = None) -> Engine:
        extra = {} if isolation_level is None else {"isolation_level": isolation_level}
        try:
            return create_engine(
                self._url,
                pool_size=pool_size,
                max_overflow=16,
                pool_use_lifo=True,
                pool_pre_ping=isolation_level is not None,
                connect_args={
                    "connect_timeout": 10,
                    "options": f"-c lock_timeout={_LOCK_TIMEOUT} -c synchronous_commit=on",
                },
                **extra,
            )
        except (ImportError, NoSuchModuleError) as exc:
            raise OperatorError(
                "the driver for PostgreSQL is not installed",
                remedy="run: pip install 'windlass[postgresql]'",
            ) from exc


def _listen(driver: Any, _record: object) -> None:
    driver.execute(f"LISTEN {CHANNEL}")
    driver.commit()


def _is_refused(error: DBAPIError) -> bool:
    """Whether the server answered and said no. What it says to a new connection comes without a state."""
    said = str(error.orig)
    is_passing = any(words in said for words in ("starting up", "shutting down", "too many", "remaining"))
    return _is_unreachable(error) and "FATAL:" in said and not is_passing


def _is_unreachable(error: DBAPIError) -> bool:
    return type(error.orig).__name__ == "OperationalError" and not getattr(error.orig, "sqlstate", None)


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).splitlines() or ["no reason given"])[0]
