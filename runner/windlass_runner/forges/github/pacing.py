"""How fast one credential may write to GitHub. Pure: the time is handed in.

GitHub allows about 80 content writes a minute and 500 an hour, asks for a second between two of them,
and gives no way to read how many are left
(https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
"""

from __future__ import annotations

from collections import deque
from typing import Final

_GAP_S: Final = 1.0
_MOST_A_MINUTE: Final = 75
_MOST_AN_HOUR: Final = 480
_MOST_REMARKS_AN_HOUR: Final = 360
"""Of an hour's writes, how many may be mere progress: the rest is kept for what begins and ends."""
_LEAST_REMARK_GAP_S: Final = 2.0
_LONGEST_REMARK_GAP_S: Final = 30.0


class Pacer:
    """Counts writes. Not for several threads at once. Times are in seconds, from any one clock."""

    def __init__(self) -> None:
        self._writes: deque[float] = deque()
        self._held_until = float("-inf")

    def wait_s(self, now: float, *, is_urgent: bool) -> float:
        """How long the next write has to wait; 0: it may go now.

        What begins or ends something `is_urgent`. Progress waits the longer the more of the hour's
        writes are used up, so that it never uses up what an end will need.
        """
        while self._writes and not now - 3600 < self._writes[0] <= now:
            self._writes.popleft()
        last = self._writes[-1] if self._writes else float("-inf")
        most = _MOST_AN_HOUR if is_urgent else _MOST_REMARKS_AN_HOUR
        gap_s = _GAP_S if is_urgent else self._remark_gap_s()
        allowed_at = [
            self._held_until,
            last + gap_s,
            self._nth_last(_MOST_A_MINUTE) + 60,
            self._nth_last(most) + 3600,
        ]
        return max(0.0, max(allowed_at) - now)

    def note_write(self, now: float) -> None:
        """A write went out."""
        self._writes.append(now)

    def hold(self, until: float) -> None:
        """GitHub said to come back then."""
        self._held_until = max(self._held_until, until)

    def held_s(self, now: float) -> float:
        """For how long GitHub wants to hear nothing at all."""
        return max(0.0, self._held_until - now)

    def _remark_gap_s(self) -> float:
        used = len(self._writes) / _MOST_REMARKS_AN_HOUR
        return max(_LEAST_REMARK_GAP_S, _LONGEST_REMARK_GAP_S * used)

    def _nth_last(self, count: int) -> float:
        return self._writes[-count] if len(self._writes) >= count else float("-inf")
