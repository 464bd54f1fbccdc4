"""The differences between the databases that a ledger may lie in, as one small protocol."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from windlass_registry.errors import WindlassError


class Backend(Protocol):
    """One kind of database. Made for one address."""

    def writer(self) -> Engine:
        """Makes connections whose transactions exclude every other writer, in any process."""
        ...

    def reader(self) -> Engine:
        """Makes connections for reading, each statement for itself."""
        ...

    def begin(self, connection: Connection) -> None:
        """First thing in a write transaction: wait until no other writer is left."""
        ...

    def announce(self, connection: Connection) -> None:
        """Last thing in a write transaction: let other processes notice its commit."""
        ...

    def foreign_changes(self, connection: Connection) -> bool:
        """Whether another process committed since the last call on this connection, the writer's. The
        first call on it may say so for nothing. Raises the driver's own errors."""
        ...

    def has_tables(self, connection: Connection) -> bool:
        """Whether there is anything at all in this database."""
        ...

    def has_table(self, connection: Connection, name: str) -> bool:
        """Whether there is a table of that name."""
        ...

    def translate(self, error: DBAPIError) -> WindlassError | None:
        """The same as an error of ours; None where it is a mistake of the program."""
        ...

    def close(self) -> None:
        """Let go of what was opened beside the engines' connections."""
        ...
