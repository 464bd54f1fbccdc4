"""Looks at every watched repository in its turn, and puts what moved into the inbox.

One thread keeps the time for all. A repository on this machine is first looked at with `stat`
(10 µs); only where that tells of a change, and for remote ones, git is asked, by a few threads
beside, so that a slow server delays nobody else.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.deliveries import observed
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.forges.folder_stamp import FolderStamp, take_stamp
from windlass_runner.forges.git import Git
from windlass_runner.forges.local_refs import local_path
from windlass_runner.forges.plain_git import is_watched
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.workflow.events import NO_COMMIT, Event

_KNOWN_MARK: Final = "windlass/known"
"""Observed of every repository that was seen once, so that an empty one is told from a new one."""
_LEAST_POLL_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 300.0
_TOGETHER: Final = 1 / 8
"""Of a period: as much early a repository is looked at where others are due; one awakening serves all."""
_READERS: Final = 4
_CHUNK: Final = 200


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One repository, as the poller knows it."""

    settings: RepositorySettings
    stamp: FolderStamp | None = None
    polled_at: float | None = None
    failures: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """What the poller last got from a repository. `polled_at` is of the last success."""

    name: str
    url: str
    polled_at: float | None
    error: str | None


class Poller:
    """Call `turn` from one thread; the other methods from any."""

    def __init__(
        self,
        *,
        repositories: Iterable[RepositorySettings],
        git: Git,
        ledger: Ledger,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        wake_intake: Callable[[], None],
        wake_self: Callable[[], None],
    ) -> None:
        self._git = git
        self._ledger = ledger
        self._clock = clock
        self._monotonic = monotonic
        self._wake_intake = wake_intake
        self._wake_self = wake_self
        self._journal = Journal("poller")
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._watches = [_Watch(settings=settings) for settings in repositories]
        polled = [watch for watch in self._watches if watch.settings.poll_s > 0]
        self._due = [(0.0, next(self._order), watch) for watch in polled]
        self._unseen = {watch.settings.url for watch in polled}
        self._all_seen = threading.Event()
        if not polled:
            self._all_seen.set()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="windlass-poller")

    def turn(self) -> float | None:
        """Look at what is due; gives the seconds until the next is."""
        now = self._monotonic()
        unchanged = []
        for watch in self._take_due(now):
            if watch.stamp is not None and watch.stamp.still_holds():
                unchanged.append(watch)
            else:
                self._readers.submit(self._read_in_turn, watch, now)
        at = self._clock()
        with self._lock:
            for watch in unchanged:
                watch.polled_at = at
                self._put_back(watch, now + self._period_s(watch))
            return max(0.0, self._due[0][0] - self._monotonic()) if self._due else None

    def wait_first(self, timeout_s: float) -> bool:
        """Wait until every repository was looked at once, with or without success."""
        return self._all_seen.wait(timeout_s)

    def states(self) -> list[PollState]:
        """How it fares with each repository."""
        return [
            PollState(
                name=watch.settings.name,
                url=watch.settings.url,
                polled_at=watch.polled_at,
                error=watch.error,
            )
            for watch in self._watches
        ]

    def close(self) -> None:
        """Begin no further reading."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _take_due(self, now: float) -> list[_Watch]:
        """Those that are due, and those that are soon."""
        due = []
        with self._lock:
            while self._due and self._due[0][0] <= now + self._period_s(self._due[0][2]) * _TOGETHER:
                due.append(heapq.heappop(self._due)[2])
        return due

    def _put_back(self, watch: _Watch, due: float) -> None:
        """With the lock held."""
        heapq.heappush(self._due, (due, next(self._order), watch))

    def _period_s(self, watch: _Watch) -> float:
        period_s = max(_LEAST_POLL_S, watch.settings.poll_s)
        if not watch.failures:
            return period_s
        return max(period_s, backoff_s(watch.failures, first=period_s, longest=_LONGEST_BACKOFF_S))

    def _read_in_turn(self, watch: _Watch, began: float) -> None:
        """On a reader's thread: read, note how it went, and wait for the next turn."""
        try:
            self._read(watch)
            if watch.error is not None:
                self._journal.info("poll.recovered", repository=watch.settings.name)
            watch.failures, watch.error, watch.polled_at = 0, None, self._clock()
        except Exception as error:  # a reader's outermost loop
            self._note_failure(watch, error)
        with self._lock:
            self._put_back(watch, began + self._period_s(watch))
            self._unseen.discard(watch.settings.url)
            if not self._unseen:
                self._all_seen.set()
        self._wake_self()

    def _note_failure(self, watch: _Watch, error: Exception) -> None:
        watch.failures += 1
        watch.stamp = None
        text = str(error) or repr(error)
        if not isinstance(error, WindlassError):
            self._journal.broken("poll.broken", error, repository=watch.settings.name)
        elif text != watch.error:
            self._journal.warning("poll.failed", repository=watch.settings.name, reason=text)
        watch.error = text

    def _read(self, watch: _Watch) -> None:
        settings = watch.settings
        at = self._clock()
        git_directory = local_path(settings.url)
        stamp = take_stamp(git_directory) if git_directory is not None else None
        refs = self._git.ls_remote(settings.url)
        heads = {ref: sha for ref, sha in refs.items() if is_watched(ref) and ref.isprintable()}
        self._note(settings, heads, at=at)
        watch.stamp = stamp if stamp is not None and stamp.is_settled(at) else None

    def _note(self, settings: RepositorySettings, heads: Mapping[str, str], *, at: float) -> None:
        last = self._ledger.refs.observed(settings.url)
        if _KNOWN_MARK not in last and not settings.run_existing:
            self._note_first_sight(settings, heads, at=at)
            return
        events = moves(settings.url, last, heads)
        if not events and _KNOWN_MARK in last:
            return
        with self._ledger.transaction():
            if events:
                self._ledger.inbox.put(observed(settings.url, events, at=at), at=at)
            self._ledger.refs.observe(settings.url, {**heads, _KNOWN_MARK: NO_COMMIT}, at=at)
        self._wake_intake()

    def _note_first_sight(self, settings: RepositorySettings, heads: Mapping[str, str], *, at: float) -> None:
        """What stands there when we first look was pushed before our time."""
        refs = list(heads.items())
        for start in range(0, len(refs), _CHUNK):  # in pieces: nobody else can write meanwhile
            with self._ledger.transaction():
                for ref, sha in refs[start : start + _CHUNK]:
                    self._ledger.refs.note_move(settings.url, ref, None, sha, observed=True, at=at)
        self._ledger.refs.observe(settings.url, {**heads, _KNOWN_MARK: NO_COMMIT}, at=at)
        self._journal.info("poll.first_sight", repository=settings.name, refs=len(heads))


def moves(repository: str, last: Mapping[str, str], heads: Mapping[str, str]) -> tuple[Event, ...]:
    """What must have been pushed between two observations; deleted refs last."""
    made = [
        Event(kind="push", repository=repository, ref=ref, sha=sha, before=last.get(ref))
        for ref, sha in heads.items()
        if last.get(ref) != sha
    ]
    gone = [
        Event(kind="push", repository=repository, ref=ref, sha=NO_COMMIT, before=sha)
        for ref, sha in last.items()
        if ref not in heads and ref != _KNOWN_MARK
    ]
    return (*made, *gone)
