"""Commits whose status has to be posted: the newest state of each, until it is posted."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update

from windlass_runner.ledger.records import OutboxItem
from windlass_runner.ledger.run_statements import mark_commit
from windlass_runner.ledger.schema import outbox
from windlass_runner.ledger.store import Store
from windlass_runner.ledger.texts import storable


class Outbox:
    """One row for each commit with something to post. One writer for each repository works it off."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mark = store.prepare(mark_commit(store, of_run=False))

    def mark(self, repository: str, sha: str, *, at: float) -> None:
        """The status of this commit has changed. Marks of one commit become one, due since the first;
        a commit whose posting failed stays put off until its time."""
        row = {"repository": repository, "sha": sha, "marked_at": at, "due_at": at}
        with self._store.write() as connection:
            self._mark.run(connection, row)

    def due(self, *, at: float) -> list[OutboxItem]:
        """What has to be posted by now, longest waiting first."""
        query = select(outbox.c.repository, outbox.c.sha, outbox.c.version, outbox.c.tries)
        query = query.where(outbox.c.due_at <= at).order_by(outbox.c.marked_at, outbox.c.sha)
        return [OutboxItem(**row) for row in self._store.rows(query)]

    def next_due_at(self) -> float | None:
        """When the next item is due; None where there is none."""
        with self._store.read() as connection:
            due_at: float | None = connection.execute(select(func.min(outbox.c.due_at))).scalar_one()
        return due_at

    def done(self, repository: str, sha: str, version: int) -> None:
        """The state that `version` stood for is posted. Newer state stays due."""
        this = (outbox.c.repository == repository, outbox.c.sha == sha)
        newer = update(outbox).where(*this).values(tries=0, error=None, due_at=outbox.c.marked_at)
        with self._store.write() as connection:
            if not connection.execute(delete(outbox).where(*this, outbox.c.version == version)).rowcount:
                connection.execute(newer)

    def failed(self, repository: str, sha: str, *, retry_at: float, error: str) -> None:
        """It could not be posted; it is due again at `retry_at`."""
        change = update(outbox).where(outbox.c.repository == repository, outbox.c.sha == sha)
        values = {"tries": outbox.c.tries + 1, "due_at": retry_at, "error": storable(error)}
        with self._store.write() as connection:
            connection.execute(change.values(values))
