"""How often somebody may call: a token bucket for each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_KEPT: Final = 50_000
"""So many callers are remembered; those that were away longest are forgotten first."""


class Buckets:
    """`at_once` calls, then `per_s` a second, for each key. For one event loop's thread."""

    def __init__(self, clock: Callable[[], float], *, per_s: float, at_once: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._at_once = float(at_once)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """One more call: 0 where it may be, else for how many seconds to wait."""
        now = self._clock()
        left, at = self._left.pop(key, (self._at_once, now))
        left = min(self._at_once, left + max(0.0, now - at) * self._per_s)
        is_free = left >= 1
        self._left[key] = (left - 1 if is_free else left, now)
        if len(self._left) > _KEPT:
            self._left.popitem(last=False)
        return 0.0 if is_free else (1 - left) / self._per_s
