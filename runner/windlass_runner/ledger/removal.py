"""Takes runs out of the ledger for good, in small transactions. Called by `run.removal`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, select

from windlass_runner.ledger.records import FINAL
from windlass_runner.ledger.schema import events, outbox, removed_runs, runs
from windlass_runner.ledger.store import Store

_EVENTS_AT_ONCE: Final = 1000


class Removal:
    """What it removes was decided elsewhere; here stands only what must not be removed at any time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def obstacle(self, run_id: str) -> str | None:
        """Why that run cannot be removed now, in words; None where it can, or is gone.

        Waits for other writers: who makes a run again has written that down by then, or has not begun.
        """
        with self._store.write() as connection:
            return _obstacle(connection, run_id)

    def remove(self, run_id: str, *, at: float) -> bool:
        """Remove the run with all that is known of it; again after a crash. What it was for stays known,
        so that nobody has it run again. False: there is an obstacle now."""
        while self._remove_events(run_id):
            pass
        with self._store.write() as connection:
            if _obstacle(connection, run_id) is not None:
                return False
            query = select(runs.c.key).where(runs.c.id == run_id)
            key = connection.execute(query).scalar_one_or_none()
            if key is not None:
                row = {"key": key, "removed_at": at}
                connection.execute(self._store.insert(removed_runs).values(row).on_conflict_do_nothing())
            connection.execute(delete(events).where(events.c.run_id == run_id))
            connection.execute(delete(runs).where(runs.c.id == run_id))
        return True

    def forget_keys(self, *, before: float) -> None:
        """Forget what runs were for that were removed before then."""
        with self._store.write() as connection:
            connection.execute(delete(removed_runs).where(removed_runs.c.removed_at < before))

    def _remove_events(self, run_id: str) -> bool:
        """A piece of them, so that nobody waits long for us. False: few are left, or they are needed."""
        with self._store.write() as connection:
            if _obstacle(connection, run_id) is not None:
                return False
            oldest = select(events.c.id).where(events.c.run_id == run_id).order_by(events.c.id)
            piece = connection.execute(oldest.limit(_EVENTS_AT_ONCE)).scalars().all()
            if len(piece) < _EVENTS_AT_ONCE:
                return False
            in_piece = (events.c.run_id == run_id) & (events.c.id <= piece[-1])
            connection.execute(delete(events).where(in_piece))
        return True


def _obstacle(connection: Connection, run_id: str) -> str | None:
    query = select(runs.c.state, runs.c.repository, runs.c.sha).where(runs.c.id == run_id)
    found = connection.execute(query).first()
    if found is None:
        return None
    if found.state not in FINAL:
        return f"it is {found.state}"
    again = select(runs.c.id).where(runs.c.rerun_of == run_id).limit(1)
    if (later := connection.execute(again).scalar_one_or_none()) is not None:
        return f"run {later} ran it again, and may stand on what it put out"
    due = select(outbox.c.sha).where(outbox.c.repository == found.repository, outbox.c.sha == found.sha)
    if connection.execute(due).first() is not None:
        return "its status has still to be posted"
    return None
