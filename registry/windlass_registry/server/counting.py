"""Downloads, counted in memory and written down now and then: a fetch waits for no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Final

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
        return self._accounts.fetched(name)

    def total(self, name: str, purpose: str | None = None) -> int:
        """How often a package was fetched, for a page: as it was written down last."""
        with self._mutex:
            is_old = self._clock() - self._read_at >= WRITTEN_EVERY_S
        if is_old:
            self.write()
            totals: Counter[tuple[str, str | None]] = Counter()
            for one in self._accounts.fetched():
                totals[one.name, one.purpose] += one.count
                totals[one.name, None] += one.count
            with self._mutex:
                self._totals, self._read_at = totals, self._clock()
        return self._totals[name, purpose]

    def write(self) -> None:
        """Write down what is waiting."""
        with self._mutex:
            waiting, self._waiting = self._waiting, Counter()
            self._written_at = self._clock()
        if waiting:
            day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
            self._accounts.count(
                (
                    Fetched(name=name, version=version, purpose=purpose, count=count)
                    for (name, version, purpose), count in waiting.items()
                ),
                day=day,
            )
