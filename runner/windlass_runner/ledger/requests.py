"""How the command line and the pages ask something of the daemon: through the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, insert, select, update

from windlass_runner.ledger.records import Request, RequestKind
from windlass_runner.ledger.runs import Runs
from windlass_runner.ledger.schema import requests
from windlass_runner.ledger.store import Store
from windlass_runner.ledger.texts import from_json, to_json

_QUESTION: Final = select(requests.c.id, requests.c.kind, requests.c.payload, requests.c.created_at)


class Requests:
    """Questions and their answers. They survive both sides."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs

    def put(self, kind: RequestKind, payload: Mapping[str, Any], *, at: float, key: str | None = None) -> int:
        """Ask; the id under which the answer will be. What was asked under the same `key` before is
        not asked again: its id is returned, whatever it was.

        The payload of `cancel` names the run as `run_id`; the run is marked at once, so that nothing
        of it is started any more. Raises `UnknownRun`.
        """
        row = {"kind": kind, "payload": to_json(dict(payload)), "created_at": at, "key": key}
        with self._store.write() as connection:
            asked = select(requests.c.id).where(requests.c.key == key)
            if key is not None and (known := connection.execute(asked).scalar_one_or_none()) is not None:
                return int(known)
            if kind == "cancel":
                self._runs.request_cancel(payload["run_id"], at=at)
            added = connection.execute(insert(requests).values(row).returning(requests.c.id))
            return int(added.scalar_one())

    def take(self) -> list[Request]:
        """What has no answer yet, oldest first. Given again until `done`."""
        return self._list(_QUESTION.where(requests.c.result.is_(None)).order_by(requests.c.id))

    def get(self, id: int) -> Request | None:
        """What was asked under that id, answered or not."""
        found = self._list(_QUESTION.where(requests.c.id == id))
        return found[0] if found else None

    def done(self, id: int, result: Mapping[str, Any]) -> None:
        """Answer. A second answer is dropped."""
        change = update(requests).where(requests.c.id == id, requests.c.result.is_(None))
        with self._store.write() as connection:
            connection.execute(change.values(result=to_json(dict(result))))

    def result(self, id: int) -> Mapping[str, Any] | None:
        """The answer; None while there is none."""
        query = select(requests.c.result).where(requests.c.id == id)
        with self._store.read() as connection:
            text = connection.execute(query).scalar_one_or_none()
        answer: Mapping[str, Any] | None = from_json(text)
        return answer

    def _list(self, query: Select[Any]) -> list[Request]:
        return [
            Request(
                id=row["id"],
                kind=row["kind"],
                payload=from_json(row["payload"]),
                created_at=row["created_at"],
            )
            for row in self._store.rows(query)
        ]
