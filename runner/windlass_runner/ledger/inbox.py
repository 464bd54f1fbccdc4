"""Deliveries, on disk before the forge gets its answer, and kept until they are handled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, Select, bindparam, func, select, update

from windlass_runner.ledger.records import Delivery, InboxCounts, NewDelivery
from windlass_runner.ledger.schema import inbox
from windlass_runner.ledger.store import Row, Store, mappings
from windlass_runner.ledger.texts import from_json, storable_or_none, to_json

_PUT: Final = ("id", "forge", "repository", "kind", "headers", "body", "received_at", "tries")


class Inbox:
    """Webhooks as received. A delivery id counts once, also after it was handled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        added = store.insert(inbox).values({name: bindparam(name, type_=inbox.c[name].type) for name in _PUT})
        self._add = store.prepare(added.on_conflict_do_nothing(index_elements=[inbox.c.id]))

    def put(self, delivery: NewDelivery, *, at: float) -> bool:
        """Keep a delivery; it is on disk when this returns. False: that id was there already."""
        return self.put_all([delivery], at=at)[0]

    def put_all(self, deliveries: Sequence[NewDelivery], *, at: float) -> list[bool]:
        """The same for several, all or none of them: it takes the disk no longer than one."""
        rows: dict[str, Row] = {}
        for one in deliveries:
            rows.setdefault(one.id, _new_row(one, at=at))
        with self._write() as connection:
            added = self._add.run_many(connection, list(rows.values())) if rows else 0
            news = set(rows) if added == len(rows) else _newest(connection, added)
        is_new = []
        for one in deliveries:
            is_new.append(one.id in news)
            news.discard(one.id)  # the next of that id is known
        return is_new

    def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those of the ids that were put here before, also where they were handled."""
        return frozenset(row["id"] for row in self._store.rows(_known(ids)))

    def take(self, limit: int, *, at: float, besides: Collection[str] = ()) -> list[Delivery]:
        """The oldest deliveries that are not handled, `besides` those of some repositories, and one more try
        counted on each.

        Until `done` they are given again: to the same caller, or to its next life. One worker takes.
        """
        query = select(inbox).where(inbox.c.handled_at.is_(None)).order_by(inbox.c.position).limit(limit)
        if besides:
            query = query.where(inbox.c.repository.not_in(sorted(besides)))
        if not self._store.rows(query.with_only_columns(inbox.c.position).limit(1)):
            return []
        with self._write() as connection:
            rows = mappings(connection.execute(query))
            taken = inbox.c.position.in_([row["position"] for row in rows])
            connection.execute(update(inbox).where(taken).values(tries=inbox.c.tries + 1, taken_at=at))
        return [_delivery(row) for row in rows]

    def done(self, id: str, *, at: float, error: str | None = None) -> None:
        """It is handled. Its body is dropped, unless it failed with `error`, which is kept with it."""
        change = update(inbox).where(inbox.c.id == id)
        if error is None:
            change = change.values(handled_at=at, error=None, headers="{}", body=b"")
        else:
            change = change.values(handled_at=at, error=storable_or_none(error))
        with self._write() as connection:
            connection.execute(change)

    def counts(self) -> InboxCounts:
        """How many wait, and how many have failed."""
        count = select(func.count()).select_from(inbox)
        with self._store.read() as connection:
            waiting = connection.execute(count.where(inbox.c.handled_at.is_(None))).scalar_one()
            failed = connection.execute(count.where(inbox.c.error.is_not(None))).scalar_one()
        return InboxCounts(waiting=waiting, failed=failed)

    def _write(self) -> AbstractContextManager[Connection]:
        """Nobody is told of what lies here but the intake, which is woken by those who put it."""
        return self._store.write(rings=False)


def _newest(connection: Connection, count: int) -> set[str]:
    """The ids of those that were added last."""
    query = select(inbox.c.id).order_by(inbox.c.position.desc()).limit(count)
    return set(connection.execute(query).scalars())


def _known(ids: Iterable[str]) -> Select[tuple[str]]:
    return select(inbox.c.id).where(inbox.c.id.in_(sorted(set(ids))))


def _new_row(delivery: NewDelivery, *, at: float) -> Row:
    return {
        "id": delivery.id,
        "forge": delivery.forge,
        "repository": delivery.repository,
        "kind": delivery.kind,
        "headers": to_json(dict(delivery.headers)),
        "body": delivery.body,
        "received_at": at,
        "tries": 0,
    }


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        forge=row["forge"],
        repository=row["repository"],
        kind=row["kind"],
        headers=from_json(row["headers"]),
        body=bytes(row["body"]),
        received_at=row["received_at"],
        tries=row["tries"] + 1,
    )
