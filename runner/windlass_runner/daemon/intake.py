"""Works off the inbox: each repository's news in order, several repositories at once.

A delivery is handled when its runs are in the ledger. What cannot be had now is tried again, later
each time, and holds up nobody but its own repository.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from windlass_registry.errors import AuthorError, WindlassError
from windlass_runner.daemon.deliveries import News, read_news
from windlass_runner.daemon.forge_commands import ForgeCommands
from windlass_runner.daemon.forge_events import ForgeEvents
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.pushes import Pushes
from windlass_runner.daemon.starting import Starting
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.forges.base import Command, DeliveryRefused
from windlass_runner.forges.git_errors import RefRejected
from windlass_runner.ledger.inbox import Inbox
from windlass_runner.ledger.records import Delivery
from windlass_runner.ledger.requests import Requests
from windlass_runner.workflow.events import Event

_AT_ONCE: Final = 500
_HANDS: Final = 4
_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 120.0
_GIVE_UP_AFTER_S: Final = 24 * 3600.0
_GONE_TRIES: Final = 3


@dataclass(slots=True)
class _Trouble:
    failures: int
    retry_at: float
    reason: str


class Intake:
    """Call `turn` from one thread; the other methods from any."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        pushes: Pushes,
        forge_events: ForgeEvents,
        forge_commands: ForgeCommands,
        requests: Requests,
        starting: Starting,
        watched: frozenset[str],
        clock: Callable[[], float],
        wake_self: Callable[[], None],
        on_moved: Callable[[str, str], None],
    ) -> None:
        """`on_moved` hears of a repository and the ref of it that was pushed to."""
        self._inbox = inbox
        self._pushes = pushes
        self._forge_events = forge_events
        self._forge_commands = forge_commands
        self._requests = requests
        self._starting = starting
        self._watched = watched
        self._clock = clock
        self._wake_self = wake_self
        self._on_moved = on_moved
        self._journal = Journal("intake")
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._troubles: dict[str, _Trouble] = {}
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="windlass-intake")

    def turn(self) -> float | None:
        """Hand out what lies in the inbox; gives the seconds until something is tried again."""
        now = self._clock()
        resting = self._resting(now)
        waiting: dict[str, list[Delivery]] = {}
        if not self._watched or not self._watched <= resting:
            for delivery in self._inbox.take(_AT_ONCE, at=now, besides=resting):
                waiting.setdefault(delivery.repository, []).append(delivery)
        with self._lock:
            self._busy.update(waiting)
        for repository, deliveries in waiting.items():
            self._hands.submit(self._handle_all, repository, deliveries)
        with self._lock:
            retries = [trouble.retry_at for trouble in self._troubles.values()]
        return max(0.05, min(retries) - now) if retries else None

    def troubles(self) -> dict[str, str]:
        """Repositories whose news cannot be taken now, with the reason."""
        with self._lock:
            return {repository: trouble.reason for repository, trouble in self._troubles.items()}

    def close(self) -> None:
        """Begin nothing more; what is in hand is finished."""
        self._hands.shutdown(wait=True, cancel_futures=True)

    def _resting(self, now: float) -> frozenset[str]:
        """The repositories whose news are in hand, or are not to be tried again yet."""
        with self._lock:
            later = (name for name, trouble in self._troubles.items() if trouble.retry_at > now)
            return frozenset(self._busy.union(later))

    def _handle_all(self, repository: str, deliveries: Sequence[Delivery]) -> None:
        """On a thread of the pool: in order, until one cannot be handled now."""
        try:
            for delivery in deliveries:
                self._handle(delivery)
            with self._lock:
                self._troubles.pop(repository, None)
        except Exception as error:  # the outermost loop of this thread
            self._note_trouble(repository, error)
        finally:
            with self._lock:
                self._busy.discard(repository)
            self._wake_self()

    def _handle(self, delivery: Delivery) -> None:
        if delivery.repository not in self._watched:
            self._inbox.done(delivery.id, at=self._clock(), error="the repository is no longer watched")
            return
        try:
            news = read_news(delivery)
        except DeliveryRefused as error:
            self._inbox.done(delivery.id, at=self._clock(), error=str(error))
            return
        items: list[Event | Command] = [*news.events, *news.commands]
        given_up = [self._try(item, news) for item in items]
        failed = next(filter(None, given_up), None)
        if failed is not None:
            self._journal.warning("delivery.given_up", repository=news.repository, reason=failed)
        self._inbox.done(delivery.id, at=self._clock(), error=failed)

    def _try(self, item: Event | Command, news: News) -> str | None:
        """Take an event or a command; why it is given up, or None. Raises what another time may mend."""
        try:
            self._starting.enter(self._take(item, news))
        except RefRejected as error:
            if self._failures(news.repository) < _GONE_TRIES:
                raise
            if isinstance(item, Event) and item.kind == "push":
                self._pushes.forget(item, observed_at=news.observed_at)
            return f"the commit is gone: {error}"
        except (AuthorError, DeliveryRefused) as error:  # what was asked for is not there
            return str(error)
        except Exception as error:
            if not self._is_hopeless(news):
                raise
            return str(error) or repr(error)
        return None

    def _take(self, item: Event | Command, news: News) -> tuple[str, ...]:
        """Write down what it starts; the runs that may begin."""
        if isinstance(item, Command):
            return self._forge_commands.take(item, delivery=news.id)
        return self._take_event(item, news)

    def _take_event(self, event: Event, news: News) -> tuple[str, ...]:
        if event.kind == "push":
            taken = self._pushes.take(event, observed_at=news.observed_at)
            self._on_moved(event.repository, event.ref or "")
            return taken
        if event.kind == "workflow_dispatch":
            payload = {
                "repository": event.repository,
                "workflow": event.subject,
                "ref": event.ref,
                "inputs": dict(event.inputs),
                "actor": event.actor,
                "key": news.id,
            }
            self._requests.put("start", payload, at=self._clock())
            return ()
        return self._forge_events.take(event, delivery=news.id, observed_at=news.observed_at)

    def _failures(self, repository: str) -> int:
        with self._lock:
            trouble = self._troubles.get(repository)
            return trouble.failures if trouble is not None else 0

    def _is_hopeless(self, news: News) -> bool:
        return self._clock() - news.received_at > _GIVE_UP_AFTER_S

    def _note_trouble(self, repository: str, error: Exception) -> None:
        reason = str(error) or repr(error)
        with self._lock:
            before = self._troubles.get(repository)
            failures = 1 if before is None else before.failures + 1
            pause_s = backoff_s(failures, first=_FIRST_RETRY_S, longest=_LONGEST_RETRY_S)
            self._troubles[repository] = _Trouble(failures, self._clock() + pause_s, reason)
        if not isinstance(error, WindlassError):
            self._journal.broken("delivery.broken", error, repository=repository)
        elif before is None or before.reason != reason:
            self._journal.warning("delivery.waits", repository=repository, reason=reason)
