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

    def sample(self, run_id: str, kind: str, *, limit: int = 1000) -> list[EventRecord]:
        """The events of one kind of a run, oldest first; of more than `limit` an even sample, the newest
        among them."""
        are_meant = (events.c.run_id == run_id) & (events.c.kind == kind)
        newest_first = func.row_number().over(order_by=events.c.id.desc())
        numbered = select(events, newest_first.label("place")).where(are_meant).subquery()
        with self._store.read() as connection:
            count = connection.execute(select(func.count()).where(are_meant)).scalar_one()
        step = max(-(-count // limit), 1)
        query = select(numbered).where((numbered.c.place - 1) % step == 0).order_by(numbered.c.id)
        return [event_record(row) for row in self._store.rows(query)]

    def last(self) -> int:
        """The cursor behind the newest event; 0 where there is none."""
        with self._store.read() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar_one() or 0
