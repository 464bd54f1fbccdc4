"""Wakes the daemon's workers when something was committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from windlass_runner.ledger.ledger import Ledger

_LISTEN_S: Final = 1.0
GATHER_S: Final = 0.03
"""How long changes are gathered before they are looked at: one look serves all of them."""


class Listener:
    """Wakes others when something was committed, by us or by the command line."""

    def __init__(self, ledger: Ledger, *, wakes: tuple[Callable[[], None], ...]) -> None:
        self._ledger = ledger
        self._wakes = wakes
        self._seen = 0

    def turn(self) -> float:
        """One wait; the pause after it gathers what comes right behind."""
        seen = self._ledger.wait_for_change(self._seen, _LISTEN_S)
        if seen == self._seen:
            return 0.0
        self._seen = seen
        for wake in self._wakes:
            wake()
        return GATHER_S
