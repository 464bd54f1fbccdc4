"""What happened, in order, by cursor: what live views, logs and the API follow."""

from __future__ import annotations

from sqlalchemy import func, select

from windlass_runner.ledger.records import EventRecord
from windlass_runner.ledger.rows import event_record
from windlass_runner.ledger.schema import events
from windlass_runner.ledger.store import Store


class Events:
    """The events of all runs. They are written by `Runs`, with the state that they tell of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def after(self, cursor: int, *, run_id: str | None = None, limit: int = 1000) -> list[EventRecord]:
        """The next events behind `cursor` (0: from the first), oldest first, at most `limit`."""
        query = select(events).where(events.c.id > cursor).order_by(events.c.id).limit(limit)
        if run_id is not None:
            query = query.where(events.c.run_id == run_id)
        return [event_record(row) for row in self._store.rows(query)]

    def last(self) -> int:
        """The cursor behind the newest event; 0 where there is none."""
        with self._store.read() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar_one() or 0
