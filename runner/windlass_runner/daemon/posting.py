"""Posts the status of commits: the outbox worked off, one writer for each repository.

The newest state is what is posted; states that were overtaken are left out. What cannot be posted
stays in the outbox, and is tried again, later each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from windlass_registry.errors import UpstreamError, WindlassError
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.forges.base import CommitStatus, Forge, NotYet
from windlass_runner.ledger.outbox import Outbox
from windlass_runner.ledger.records import OutboxItem

_WRITERS: Final = 16
"""So many, because those of one account wait for each other."""
_FIRST_RETRY_S: Final = 0.2
_LONGEST_RETRY_S: Final = 300.0
_LONGEST_ASKED_S: Final = 4000.0
"""An hour and a little: the longest that a forge may ask us to wait."""
_PACE_S: Final = 0.1
"""Least time between two notes in one repository, so that a busy run does not start git all the time."""


class Posting:
    """Call `turn` from one thread; the other methods from any.

    `compose` gives a commit's status as it is now.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        compose: Callable[[str, str], CommitStatus],
        forge_of: Callable[[str], Forge],
        clock: Callable[[], float],
        wake_self: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._compose = compose
        self._forge_of = forge_of
        self._clock = clock
        self._wake_self = wake_self
        self._journal = Journal("posting")
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._free_at: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="windlass-posting")

    def turn(self) -> float | None:
        """Hand out what is due; gives the seconds until more is."""
        now = self._clock()
        due: dict[str, list[OutboxItem]] = {}
        for item in self._outbox.due(at=now):
            due.setdefault(item.repository, []).append(item)
        for repository, items in due.items():
            if self._reserve(repository, now):
                self._writers.submit(self._post_all, repository, items)
        return self._next_turn_s(now, has_due=bool(due))

    def errors(self) -> dict[str, str]:
        """Repositories on which nothing can be posted now, with the reason."""
        with self._lock:
            return dict(self._errors)

    def backlog(self) -> int:
        """How many commits wait to be posted by now."""
        return len(self._outbox.due(at=self._clock()))

    def close(self, timeout_s: float) -> None:
        """Post what is due as far as that is possible in the time, then stop."""
        deadline = self._clock() + timeout_s
        finished = threading.Event()
        with suppress(WindlassError):  # without a ledger nothing is known to be due: it stays there
            while self._clock() < deadline and self.turn() is not None and not finished.wait(0.02):
                continue
        self._writers.shutdown(wait=False, cancel_futures=True)

    def _next_turn_s(self, now: float, *, has_due: bool) -> float | None:
        """None: only a change can bring something to post. A writer that is done wakes us itself."""
        with self._lock:
            paced = [at for repository, at in self._free_at.items() if repository not in self._busy]
        if has_due:
            later = [at for at in paced if at > now]
            return max(0.01, min(later) - now) if later else _PACE_S
        next_due_at = self._outbox.next_due_at()
        return None if next_due_at is None else max(0.01, next_due_at - now)

    def _reserve(self, repository: str, now: float) -> bool:
        with self._lock:
            if repository in self._busy or self._free_at.get(repository, 0.0) > now:
                return False
            self._busy.add(repository)
            return True

    def _post_all(self, repository: str, items: Sequence[OutboxItem]) -> None:
        """On a writer's thread."""
        try:
            for item in items:
                self._post(item)
        except Exception as error:  # the outermost loop of this thread: the ledger is not to be had
            self._journal.warning("status.not_recorded", repository=repository, reason=error)
        finally:
            with self._lock:
                self._busy.discard(repository)
                self._free_at[repository] = self._clock() + _PACE_S
            self._wake_self()

    def _post(self, item: OutboxItem) -> None:
        try:
            self._forge_of(item.repository).post(self._compose(item.repository, item.sha))
        except Exception as error:
            self._put_off(item, error)
            return
        self._outbox.done(item.repository, item.sha, item.version)
        with self._lock:
            was_broken = self._errors.pop(item.repository, None) is not None
        if was_broken:
            self._journal.info("status.posted_again", repository=item.repository)

    def _put_off(self, item: OutboxItem, error: Exception) -> None:
        """A forge that says when to come again is taken at its word."""
        reason = str(error) or repr(error)
        pause_s = backoff_s(item.tries + 1, first=_FIRST_RETRY_S, longest=_LONGEST_RETRY_S)
        if isinstance(error, UpstreamError) and error.retry_after_s is not None:
            asked_s = min(error.retry_after_s, _LONGEST_ASKED_S)
            pause_s = asked_s if isinstance(error, NotYet) else max(pause_s, asked_s)
        retry_at = self._clock() + pause_s
        if isinstance(error, NotYet):
            self._outbox.failed(item.repository, item.sha, retry_at=retry_at, error=reason)
            return
        with self._lock:
            is_news = self._errors.get(item.repository) != reason
            self._errors[item.repository] = reason
        if not isinstance(error, WindlassError):
            self._journal.broken("status.broken", error, repository=item.repository, sha=item.sha)
        elif is_news:
            self._journal.warning("status.waits", repository=item.repository, sha=item.sha, reason=reason)
        self._outbox.failed(item.repository, item.sha, retry_at=retry_at, error=reason)
