"""From settings to a running daemon, also where the storage cannot be had yet: then it waits, says so
over HTTP, takes nothing in, and begins by itself. Called by `daemon.server`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from windlass_registry.errors import UpstreamError
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.storage_files import StorageUnwritable
from windlass_runner.daemon.webhooks import NOT_KEPT
from windlass_runner.daemon.wiring import Daemon
from windlass_runner.ledger.errors import LedgerFull, LedgerUnusable
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.web.app import Received, Reply
from windlass_runner.web.links import Links

PASSING: Final = (StorageUnwritable, LedgerFull, LedgerUnusable, UpstreamError)
"""What keeps a daemon from beginning, and ends without another command or other settings."""


class Opening:
    """Call `attempt` and `close` from one thread; the other methods from any."""

    def __init__(self, make: Callable[[], Daemon], *, version: str) -> None:
        self._make = make
        self._version = version
        self._journal = Journal("daemon")
        self._daemon: Daemon | None = None
        self._reason = "it has not begun"

    def attempt(self) -> None:
        """Begin, unless that is done or cannot be now.

        Raises:
            OperatorError: no waiting mends it (another daemon holds the storage, a ledger that is damaged).
        """
        if self._daemon is not None:
            return
        try:
            self._daemon = self._begun()
        except PASSING as error:
            if self._reason != str(error):
                self._journal.warning("daemon.waits", reason=error)
            self._reason = str(error)

    def receive(self, forge: str, received: Sequence[Received]) -> list[Reply]:
        """Answer deliveries; while the daemon waits, nothing is accepted, for nothing could be kept."""
        if self._daemon is None:
            return [NOT_KEPT for _ in received]
        return self._daemon.webhooks.receive(forge, received)

    def health(self) -> Reply:
        """Answer how the daemon fares; while it waits, for what."""
        if self._daemon is None:
            problems = [f"it waits to begin: {self._reason}"]
            return 503, {"status": "failing", "version": self._version, "problems": problems}
        return self._daemon.health.answer()

    def ledger(self) -> Ledger | None:
        """Its ledger; None while it waits."""
        return None if self._daemon is None else self._daemon.ledger

    def links(self) -> Links | None:
        """What opens files to those who have a link; None while it waits, and where there are none."""
        return None if self._daemon is None else self._daemon.links

    def close(self) -> None:
        """Stop the daemon, if it ever began."""
        if self._daemon is not None:
            self._daemon.stop()

    def _begun(self) -> Daemon:
        daemon = self._make()
        try:
            daemon.start()
        except BaseException:
            daemon.stop()
            raise
        return daemon
