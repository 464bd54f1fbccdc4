"""The daemon's durable memory, opened. Made by `daemon.wiring` and by the commands that read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from windlass_runner.ledger.backend import Backend
from windlass_runner.ledger.deployments import Deployments
from windlass_runner.ledger.events import Events
from windlass_runner.ledger.gates import Gates
from windlass_runner.ledger.inbox import Inbox
from windlass_runner.ledger.outbox import Outbox
from windlass_runner.ledger.refs import Refs
from windlass_runner.ledger.removal import Removal
from windlass_runner.ledger.requests import Requests
from windlass_runner.ledger.runs import Runs
from windlass_runner.ledger.sample_offers import SampleOffers
from windlass_runner.ledger.schedules import Schedules
from windlass_runner.ledger.store import Store
from windlass_runner.ledger.tokens import Tokens
from windlass_runner.ledger.versions import bring_to_head


class Ledger:
    """What was accepted, what runs, what happened and what has to be posted.

    Every call that writes is one transaction, and on disk when it returns. All methods of all parts
    may be called from any thread, and from several processes at once.

    Raises everywhere:
        LedgerFull: no space left; the same object goes on when there is some again.
        LedgerUnusable: it may not be read or written, or its disk fails; the same holds.
        LedgerDamaged: the file is not whole.
        UpstreamError: another process holds it, or the database does not answer.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.runs = Runs(store)
        self.events = Events(store)
        self.removal = Removal(store)
        self.inbox = Inbox(store)
        self.outbox = Outbox(store)
        self.gates = Gates(store)
        self.deployments = Deployments(store, self.outbox)
        self.refs = Refs(store)
        self.schedules = Schedules(store)
        self.sample_offers = SampleOffers(store)
        self.requests = Requests(store, self.runs)
        self.tokens = Tokens(store)

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = True) -> Ledger:
        """The ledger in that SQLite file, or behind that ``postgresql://`` address, at this program's schema.

        `create`: make it where there is none; otherwise that is a `LedgerMissing`.

        Raises:
            LedgerTooNew: a later version of this program has written it.
        """
        store = Store(_backend(str(url_or_path), create=create))
        try:
            bring_to_head(store, create=create)
            return cls(store)
        except BaseException:
            store.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one of all writes that this thread does inside: visible together, or not at all.

        Keep it short: no other thread or process writes meanwhile.
        """
        with self._store.write():
            yield

    def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Block until something was committed since `seen` (0 at first), for `timeout_s` at most.

        Returns the number to wait with next time. What one's own process commits is noticed at once,
        others' commits within 0.2 seconds. It may wake up for nothing, never miss anything.
        """
        return self._store.bell.wait(seen, timeout_s=timeout_s)

    def close(self) -> None:
        """Let go of the file or the connections. May be called twice."""
        self._store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _backend(address: str, *, create: bool) -> Backend:
    if address.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
        from windlass_runner.ledger.postgresql import PostgresqlBackend

        return PostgresqlBackend(address)
    from windlass_runner.ledger.sqlite import SqliteBackend

    return SqliteBackend(Path(address), create=create)
