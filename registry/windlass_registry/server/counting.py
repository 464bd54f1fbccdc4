"""Downloads, counted in memory and written down now and then: no fetch fails of a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_registry.releases import ReleaseFacts
from windlass_registry.server.accounts import Accounts, Fetched

WRITTEN_EVERY_S: Final = 10.0


class Counting:
    """Safe to use from several threads. What was not written yet is lost with the process."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._mutex = Lock()
        self._waiting: Counter[tuple[str, str, str]] = Counter()
        self._written_at = clock()
        self._totals: Counter[tuple[str, str | None]] = Counter()
        self._read_at = float("-inf")

    def note(self, facts: ReleaseFacts, purpose: str) -> None:
        """One more fetch of a release."""
        with self._mutex:
            self._waiting[facts.name, str(facts.version), purpose] += 1
            is_due = self._clock() - self._written_at >= WRITTEN_EVERY_S
        if is_due:
            self.write()

    def of(self, name: str) -> tuple[Fetched, ...]:
        """The counts of a package, this very moment's included."""
        self.write()
        try:
            return self._accounts.fetched(name)
        except WindlassError:
            return ()

    def total(self, name: str, purpose: str | None = None) -> int:
        """How often a package was fetched, for a page: as it was written down last."""
        with self._mutex:
            is_old = self._clock() - self._read_at >= WRITTEN_EVERY_S
        if is_old:
            self.write()
            self._read_totals()
        return self._totals[name, purpose]

    def _read_totals(self) -> None:
        """As they are now; as they were, where the database does not answer."""
        totals: Counter[tuple[str, str | None]] = Counter()
        try:
            fetched = self._accounts.fetched()
        except WindlassError:
            with self._mutex:
                self._read_at = self._clock()
            return
        for one in fetched:
            totals[one.name, one.purpose] += one.count
            totals[one.name, None] += one.count
        with self._mutex:
            self._totals, self._read_at = totals, self._clock()

    def write(self) -> None:
        """Write down what is waiting; it goes on waiting where the database does not answer."""
        with self._mutex:
            waiting, self._waiting = self._waiting, Counter()
            self._written_at = self._clock()
        if not waiting:
            return
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        fetched = (
            Fetched(name=name, version=version, purpose=purpose, count=count)
            for (name, version, purpose), count in waiting.items()
        )
        try:
            self._accounts.count(fetched, day=day)
        except WindlassError:
            with self._mutex:
                self._waiting.update(waiting)
