"""Brings a ledger to the schema of this program: makes it where it is new, migrates it where it is old.

Alembic is imported only where there is something to migrate: most starts only compare two words.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from windlass_runner.ledger.errors import LedgerDamaged, LedgerMissing, LedgerTooNew
from windlass_runner.ledger.schema import HEAD, REVISIONS, metadata, version
from windlass_runner.ledger.store import Store


def bring_to_head(store: Store, *, create: bool = True) -> None:
    """After this the tables are those of `schema`.

    Raises:
        LedgerTooNew: a later version of this program has written it.
        LedgerDamaged: the database holds something else.
        LedgerMissing: the database is empty, and `create` is false.
    """
    if _is_at_head(store):
        return
    with store.write() as connection:
        if not store.has_tables(connection):
            if not create:
                raise LedgerMissing("the database is empty", remedy="start `windlass serve` once")
            metadata.create_all(connection, checkfirst=False)
            connection.execute(version.insert().values(version_num=HEAD))
            return
        stamped = _stamped(connection, store)
        if stamped == HEAD:
            return  # another process was faster
        if stamped is not None and stamped not in REVISIONS:
            raise LedgerTooNew(
                f"the ledger is of revision {stamped}, and this program knows revisions up to {HEAD}",
                remedy="use the version of windlass that wrote it, or a later one",
            )
        migrate(connection)


def migrate(connection: Connection, *, revision: str = "head") -> None:
    """Run the migrations on this connection, inside its transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _is_at_head(store: Store) -> bool:
    with store.read() as connection:
        try:
            return connection.execute(version.select()).scalar_one_or_none() == HEAD
        except DBAPIError as exc:
            if store.translate(exc) is not None:
                raise
            return False  # no such table


def _stamped(connection: Connection, store: Store) -> str | None:
    if not store.has_table(connection, version.name):
        raise LedgerDamaged(
            "the database holds tables, but no ledger",
            remedy="name an empty or new one in `[storage]`",
        )
    return connection.execute(version.select()).scalar_one_or_none()
