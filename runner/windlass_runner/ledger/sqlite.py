"""A ledger in one SQLite file: WAL, every commit on disk before it counts."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.ledger.errors import LedgerDamaged, LedgerFull, LedgerMissing, LedgerUnusable

BUSY_TIMEOUT_S: Final = 10.0
_SCARCE_BYTES: Final = 1 << 20
_WAL_PAUSE_S: Final = 0.02
_WRITER_PRAGMAS: Final = ("synchronous=FULL", "foreign_keys=ON", "journal_size_limit=16777216")


class SqliteBackend:
    """One file. Made with its parent folders, readable by its owner only."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._seen: tuple[sqlite3.Connection, int] | None = None
        if create:
            self._make_file()
        elif not path.is_file():
            raise LedgerMissing(
                f"there is no ledger at {path}",
                remedy="start `windlass serve` once, or name the right folder in `[storage] path`",
            )

    def writer(self) -> Engine:
        engine = self._engine(pool_size=1, pragmas=_WRITER_PRAGMAS)
        event.listen(engine, "begin", _begin_immediate)
        return engine

    def reader(self) -> Engine:
        return self._engine(pool_size=4, pragmas=("query_only=ON",))

    def begin(self, connection: Connection) -> None:
        pass  # `BEGIN IMMEDIATE` has done it

    def announce(self, connection: Connection) -> None:
        pass  # every commit moves the file's data_version

    def foreign_changes(self, connection: Connection) -> bool:
        driver = _driver(connection)
        seen = (driver, driver.execute("PRAGMA data_version").fetchone()[0])
        last, self._seen = self._seen, seen
        return last is None or last[0] is not driver or last[1] != seen[1]

    def has_tables(self, connection: Connection) -> bool:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one())

    def has_table(self, connection: Connection, name: str) -> bool:
        found = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = ?", (name,))
        return bool(found.scalar_one())

    def translate(self, error: DBAPIError) -> WindlassError | None:
        name = getattr(error.orig, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and self._is_space_scarce()):
            return LedgerFull(
                f"no space left for the ledger {self._path}",
                remedy=f"free space on {self._path.parent}; it goes on by itself",
            )
        if name.startswith("SQLITE_CORRUPT") or name == "SQLITE_NOTADB":
            return LedgerDamaged(
                f"the ledger {self._path} is damaged ({error.orig})",
                remedy="put a backup in its place, or move it away to begin with an empty one",
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return UpstreamError(f"another process holds the ledger {self._path}", retry_after_s=5)
        if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return LedgerUnusable(
                f"the ledger {self._path} cannot be used: {error.orig}",
                remedy="check the disk and that its file and folder belong to the user who runs windlass",
            )
        return None

    def close(self) -> None:
        pass

    def _make_file(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as exc:
            raise LedgerUnusable(
                f"the ledger {self._path} cannot be made: {exc.strerror}",
                remedy="make its folder writable, or name another in `[storage] path`",
            ) from exc

    def _engine(self, *, pool_size: int, pragmas: tuple[str, ...]) -> Engine:
        def prepare(driver: sqlite3.Connection, _record: object) -> None:
            _enter_wal(driver)
            for pragma in (*pragmas, "cache_size=-2048", "temp_store=MEMORY"):
                driver.execute(f"PRAGMA {pragma}")

        engine = create_engine(
            "sqlite+pysqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=-1,
            pool_use_lifo=True,
        )
        event.listen(engine, "connect", prepare)
        return engine

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a file that somebody took away is an error, not a new and empty ledger.
        return sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _is_space_scarce(self) -> bool:
        try:
            return shutil.disk_usage(self._path.parent).free < _SCARCE_BYTES
        except OSError:
            return False


def _begin_immediate(connection: Connection) -> None:
    try:
        _driver(connection).execute("BEGIN IMMEDIATE")  # by SQLAlchemy it takes ten times as long
    except sqlite3.Error as exc:
        raise DBAPIError.instance("BEGIN IMMEDIATE", None, exc, sqlite3.Error) from exc


def _enter_wal(driver: sqlite3.Connection) -> None:
    """Switch to WAL. Two processes that do it at once get `busy` without being made to wait for it."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
        threading.Event().wait(_WAL_PAUSE_S)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
