"""Runs by the clock what the default branches ask for: `on: schedule`.

When anything is due next stands in the ledger. One thread waits for that; what has to be looked at in
repositories is done by a few threads beside, so that a slow server delays nobody else. A repository is looked
at when the daemon begins, when its default branch has moved, and when something of it is due: then its newest
commit counts, as on GitHub.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.scheduled_runs import Head, ScheduledRuns
from windlass_runner.daemon.starting import Starting
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.daemon.workflows import find_workflows
from windlass_runner.forges.git import Git, default_branches
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.schedules import NewSchedule, Schedule
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.due_times import DueTimes
from windlass_runner.workflow.model import ScheduleTrigger

READ_AFTER_S: Final = 1.0
"""After a push: its runs go first, and of several pushes only the last is read."""
_LONGEST_WAIT_S: Final = 60.0
"""While anything is due at all: a clock that was set is noticed then."""
_CLOCK_WAS_WRONG_S: Final = 24 * 3600.0
_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 300.0
_HANDS: Final = 2
_SHOWN: Final = 100
_EMPTY: Final = ("", "")


@dataclass(slots=True)
class _Trouble:
    failures: int
    retry_at: float
    reason: str


class Schedules:
    """Call `turn` from one thread; the other methods from any."""

    def __init__(
        self,
        *,
        watched: Iterable[str],
        ledger: Ledger,
        git: Git,
        mirror_of: Callable[[str], Mirror],
        runs: ScheduledRuns,
        starting: Starting,
        clock: Callable[[], float],
        wake_self: Callable[[], None],
        read_after_s: float = READ_AFTER_S,
    ) -> None:
        self._watched = frozenset(watched)
        self._ledger = ledger
        self._git = git
        self._mirror_of = mirror_of
        self._runs = runs
        self._starting = starting
        self._clock = clock
        self._wake_self = wake_self
        self._journal = Journal("schedules")
        self._lock = threading.Lock()
        self._read_after_s = read_after_s
        self._unread = dict.fromkeys(self._watched, 0.0)
        """When to read them, at the earliest."""
        self._busy: set[str] = set()
        self._defaults: dict[str, str] = {}
        self._troubles: dict[str, _Trouble] = {}
        self._is_begun = False
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="windlass-schedules")

    def turn(self) -> float | None:
        """Look at what has to be looked at; gives the seconds until something is due. None: nothing ever."""
        if not self._is_begun:
            self._ledger.schedules.keep_only(self._watched)
            self._is_begun = True
        now = self._clock()
        found = [self._set_right(schedule, now) for schedule in self._ledger.schedules.of()]
        due = {schedule.repository for schedule in found if schedule.due_at <= now}
        with self._lock:
            retries = {url: trouble.retry_at for url, trouble in self._troubles.items()}
            resting = {url for url, at in retries.items() if _is_soon(at, now)}
            unread = {url for url, at in self._unread.items() if not _is_soon(at, now)}
            wanted = (due | unread) - self._busy - resting
            for url in wanted:
                self._unread.pop(url, None)
            self._busy |= wanted
            moments = [at for at in (*retries.values(), *self._unread.values()) if at > now]
        for url in sorted(wanted):
            self._hands.submit(self._look_safely, url)
        moments += [schedule.due_at for schedule in found if schedule.due_at > now]
        if not moments:
            return _LONGEST_WAIT_S if found else None
        return min(max(0.05, min(moments) - now), _LONGEST_WAIT_S)

    def note_moved(self, repository: str, ref: str) -> None:
        """A ref has moved: where it is the default branch, its schedules may be others."""
        with self._lock:
            if self._defaults.get(repository, ref) != ref:
                return
            self._unread.setdefault(repository, self._clock() + self._read_after_s)
        self._wake_self()

    def troubles(self) -> dict[str, str]:
        """Repositories of which the schedules cannot be kept now, with the reason."""
        with self._lock:
            return {url: trouble.reason for url, trouble in self._troubles.items()}

    def is_idle(self) -> bool:
        """Whether no repository is being looked at."""
        with self._lock:
            return not self._busy

    def close(self) -> None:
        """Begin nothing more; what is in hand is finished."""
        self._hands.shutdown(wait=True, cancel_futures=True)

    def _set_right(self, schedule: Schedule, now: float) -> Schedule:
        """A clock that goes back does nothing twice. One that was ahead by more than a day was wrong: what
        is due next is reckoned anew."""
        if schedule.last_due_at is None or schedule.last_due_at <= now + _CLOCK_WAS_WRONG_S:
            return schedule
        following = _following(schedule.cron, schedule.timezone, now)
        note = "the clock was set back"
        self._ledger.schedules.decide(schedule, last_due_at=now, due_at=following, run=None, note=note)
        self._wake_self()
        return schedule

    def _look_safely(self, url: str) -> None:
        """On a thread of the pool: its outermost loop."""
        try:
            self._look(url)
            with self._lock:
                self._troubles.pop(url, None)
        except Exception as error:
            self._note_trouble(url, error)
        finally:
            with self._lock:
                self._busy.discard(url)
            self._wake_self()

    def _look(self, url: str) -> None:
        """Read the schedules anew where the default branch has moved, and decide about what is due."""
        refs = self._git.ls_remote(url)
        ref = next(iter(default_branches(refs)), None)
        known = self._ledger.schedules.source(url)
        if ref is None:
            if known not in (None, _EMPTY):
                self._ledger.schedules.replace(url, (), source=_EMPTY)
            return
        head = Head(ref=ref, sha=refs[ref], mirror=self._mirror_of(url))
        with self._lock:
            self._defaults[url] = ref
        if known != (head.ref, head.sha):
            self._read(url, head)
        now = self._clock()
        due = [schedule for schedule in self._ledger.schedules.of(url) if schedule.due_at <= now]
        if due:
            head.mirror.fetch(ref=head.ref, sha=head.sha)
        for schedule in due:
            run_id = self._runs.decide(schedule, head)
            if run_id is not None:
                self._starting.enter([run_id])

    def _read(self, url: str, head: Head) -> None:
        head.mirror.fetch(ref=head.ref, sha=head.sha)
        now = self._clock()
        wanted = [
            NewSchedule(
                workflow_path=found.path,
                workflow=found.name,
                cron=trigger.cron,
                timezone=trigger.timezone,
                policy=trigger.concurrency_policy,
                deadline_s=trigger.starting_deadline_s,
                due_at=_following(trigger.cron, trigger.timezone, now),
            )
            for found in find_workflows(self._git, head.mirror.path, head.sha)
            if found.workflow is not None
            for trigger in found.workflow.triggers
            if isinstance(trigger, ScheduleTrigger)
        ]
        self._ledger.schedules.replace(url, wanted, source=(head.ref, head.sha))
        if wanted:
            self._journal.info("schedules.read", repository=url, sha=head.sha, schedules=len(wanted))

    def _note_trouble(self, url: str, error: Exception) -> None:
        reason = str(error) or repr(error)
        with self._lock:
            before = self._troubles.get(url)
            failures = 1 if before is None else before.failures + 1
            pause_s = backoff_s(failures, first=_FIRST_RETRY_S, longest=_LONGEST_RETRY_S)
            self._troubles[url] = _Trouble(failures, self._clock() + pause_s, reason)
            self._unread[url] = 0.0
        if not isinstance(error, WindlassError):
            self._journal.broken("schedules.broken", error, repository=url)
        elif before is None or before.reason != reason:
            self._journal.warning("schedules.wait", repository=url, reason=reason)


def due_next(ledger: Ledger, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is due next, and what became of the last time: for `/healthz`. `names`: of repositories."""
    return [
        {
            "repository": names.get(schedule.repository, schedule.repository),
            "workflow": schedule.workflow,
            "path": schedule.workflow_path,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "due_at": schedule.due_at,
            "last_due_at": schedule.last_due_at,
            "last_run": schedule.last_run,
            "note": schedule.note,
        }
        for schedule in ledger.schedules.of()[:_SHOWN]
    ]


def _is_soon(at: float, now: float) -> bool:
    """Whether to wait for that moment. None is ever set farther away: the clock was set back since."""
    return now < at <= now + _LONGEST_RETRY_S


def _following(cron: str, timezone: str, now: float) -> float:
    moment = DueTimes.of(cron, timezone).after(datetime.fromtimestamp(now, UTC))
    return moment.timestamp() if moment is not None else float("inf")
