"""Connections, transactions and prepared statements: what all parts of the ledger stand on.

One connection writes, guarded by a lock; readers come from a pool. A write inside another write of
the same thread joins it: both become visible together, or neither.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Result, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Executable

from windlass_registry.errors import WindlassError
from windlass_runner.ledger.backend import Backend
from windlass_runner.ledger.changes import Bell

Row = Mapping[str, Any]
_CHUNK: Final = 2000


def mappings(result: Result[Any]) -> list[Row]:
    """The rows of a result by their columns' names."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


class Prepared:
    """A statement that was compiled once. Its parameters are plain values, one per named bind."""

    def __init__(self, statement: Any, store: Store) -> None:
        compiled = statement.compile(dialect=store.dialect)
        self._sql = str(compiled)
        self._is_positional = compiled.positiontup is not None
        self._names: list[str] = compiled.positiontup or list(compiled.params)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: Connection, row: Row) -> CursorResult[Any]:
        """Execute it for one row of parameters. A name that is missing is NULL (or the statement's own)."""
        return connection.exec_driver_sql(self._sql, self._bind(row))

    def run_many(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Execute it for each row; how many rows of the table were touched."""
        if len(rows) == 1:
            return self.run(connection, rows[0]).rowcount
        touched = 0
        for start in range(0, len(rows), _CHUNK):
            bound = [self._bind(row) for row in rows[start : start + _CHUNK]]
            touched += connection.exec_driver_sql(self._sql, bound).rowcount
        return touched

    def _bind(self, row: Row) -> Any:
        if self._fixed:
            row = {**self._fixed, **row}
        if self._is_positional:
            return tuple([row.get(name) for name in self._names])
        return {name: row.get(name) for name in self._names}


class Store:
    """The database under a ledger. All methods may be called from any thread.

    Raises everywhere: what `Backend.translate` gives (full, damaged, not to be reached, busy).
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writer = backend.writer()
        self._readers = backend.reader()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._is_closed = False
        self._joined = threading.local()
        self.dialect = self._writer.dialect
        self._driver_error: type[Exception] = self._writer.dialect.loaded_dbapi.Error
        self.bell = Bell(self._look_around)

    @contextmanager
    def write(self, *, rings: bool = True) -> Iterator[Connection]:
        """A transaction that excludes all other writers; committed at the end, undone by an exception.
        `rings`: whoever waits for changes is told of it."""
        if (joined := self._current()) is not None:
            with joined.begin_nested():  # what fails in here is undone, also if somebody catches it
                yield joined
            return
        with self._lock:
            try:
                yield from self._transaction()
            except DBAPIError as exc:
                self._raise_translated(exc)
            finally:
                if self._is_closed:
                    self._drop()
        if rings:
            self.bell.ring()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; inside a `write` of this thread, that one."""
        if (joined := self._current()) is not None:
            yield joined
            return
        try:
            with self._readers.connect() as connection:
                yield connection
        except DBAPIError as exc:
            self._raise_translated(exc)
        finally:
            if self._is_closed:  # while this connection was in use, so that nobody else lets go of it
                self._readers.pool.dispose()

    def rows(self, statement: Executable) -> list[Row]:
        """All rows of a query."""
        with self.read() as connection:
            return mappings(connection.execute(statement))

    def prepare(self, statement: Any) -> Prepared:
        """Compile a statement for this database, once."""
        return Prepared(statement, self)

    def insert(self, table: Table) -> Any:
        """An INSERT of this database, which knows `ON CONFLICT`."""
        if self.dialect.name == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    def has_tables(self, connection: Connection) -> bool:
        """Whether there is anything at all in this database."""
        return self._backend.has_tables(connection)

    def has_table(self, connection: Connection, name: str) -> bool:
        """Whether there is a table of that name."""
        return self._backend.has_table(connection, name)

    def translate(self, error: DBAPIError) -> WindlassError | None:
        """A database's error as one of ours; None where it is a mistake of the program."""
        return self._backend.translate(error)

    def close(self) -> None:
        """Let go of all connections. Waits for the write in progress, not for who reads."""
        with self._lock:
            self._is_closed = True
            self._drop()
            self._writer.dispose()
            self._readers.pool.dispose()  # the engine would take a new pool: those in use return to this one
            self._backend.close()

    def _transaction(self) -> Iterator[Connection]:
        connection = self._connected()
        try:
            with connection.begin():
                self._backend.begin(connection)
                self._joined.connection = connection
                try:
                    yield connection
                finally:
                    self._joined.connection = None
                self._backend.announce(connection)
        except DBAPIError:
            self._drop()  # whatever state it is in: the next write begins with a fresh one
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._writer.connect()
            self.bell.ring()  # what others committed before this connection was there cannot be told
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _current(self) -> Connection | None:
        return getattr(self._joined, "connection", None)

    def _look_around(self) -> bool | None:
        """Ask for other processes' commits; None while the writer is busy, or cannot be reached."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return None if self._is_closed else self._backend.foreign_changes(self._connected())
        except (DBAPIError, self._driver_error):
            self._drop()
            return None
        finally:
            self._lock.release()

    def _raise_translated(self, error: DBAPIError) -> None:
        if (translated := self.translate(error)) is not None:
            raise translated from error
        raise error
