"""Asks GitHub for what its webhooks did not tell: deliveries that failed, and pull requests that moved.

What it finds goes through the inbox under the names that webhooks have (a delivery its id, a new commit its
place in `ledger.refs`), so that nothing is run twice. All that it remembers may be forgotten: it reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.deliveries import from_github, observed_pull_request
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.unheard import Unheard
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.forges.base import DeliveryRefused
from windlass_runner.forges.github.deliveries import is_known, read_delivery
from windlass_runner.ledger.inbox import Inbox
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import NewDelivery
from windlass_runner.workflow.events import NO_COMMIT, Event

if TYPE_CHECKING:
    from windlass_runner.forges.github.forge import GitHub
    from windlass_runner.forges.github.missed import MissedDelivery

_PERIOD_S: Final = 60.0
_LONGEST_BACKOFF_S: Final = 900.0
_KEPT_S: Final = 3 * 24 * 3600.0
"""How long GitHub knows what a delivery said."""
_OVERLAP_S: Final = 600.0
"""A delivery that takes long fails after younger ones have: so far back is read again."""
_AT_ONCE: Final = 50
_KNOWN_MARK: Final = "windlass/known"
"""Observed of every repository whose pull requests were seen once."""


@dataclass(slots=True, kw_only=True)
class _Duty:
    """Something to look at again and again. `look` says whether there is more to do at once."""

    name: str
    period_s: float
    look: Callable[[], bool]
    due: float = float("-inf")
    failures: int = 0
    error: str | None = None


class Reconciling:
    """Call `turn` from one thread."""

    def __init__(
        self,
        *,
        github: GitHub,
        repositories: Collection[RepositorySettings],
        ledger: Ledger,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        wake_intake: Callable[[], None],
    ) -> None:
        self._monotonic = monotonic
        self._wake_intake = wake_intake
        self._journal = Journal("reconciling")
        watched = [found for found in repositories if found.forge == "github"]
        self._duties = [
            _Duty(
                name=app,
                period_s=_PERIOD_S,
                look=_Missed(
                    app,
                    github=github,
                    inbox=ledger.inbox,
                    urls={found.name.lower(): found.url for found in watched if found.credentials == app},
                    clock=clock,
                ).look,
            )
            for app in github.apps
        ]
        self._duties += [
            _Duty(
                name=found.name,
                period_s=max(_PERIOD_S, found.poll_s),
                look=_PullRequests(found, github=github, ledger=ledger, clock=clock).look,
            )
            for found in watched
            if found.poll_s > 0
        ]

    def turn(self) -> float | None:
        """Look at what is due; gives the seconds until the next is."""
        for duty in self._duties:
            if duty.due <= self._monotonic():
                duty.due = self._monotonic() + self._carry_out(duty)
        self._wake_intake()
        return max(0.0, min(duty.due for duty in self._duties) - self._monotonic()) if self._duties else None

    def errors(self) -> dict[str, str]:
        """Why GitHub does not tell what was missed, by the name of the App or repository. From any thread."""
        return {duty.name: duty.error for duty in self._duties if duty.error is not None}

    def _carry_out(self, duty: _Duty) -> float:
        """For how many seconds it may rest then. One that fails holds up no other."""
        try:
            has_more = duty.look()
        except Exception as error:  # a duty's outermost loop
            self._note_failure(duty, error)
            return max(
                duty.period_s, backoff_s(duty.failures, first=duty.period_s, longest=_LONGEST_BACKOFF_S)
            )
        if duty.error is not None:
            self._journal.info("reconciling.recovered", name=duty.name)
        duty.failures, duty.error = 0, None
        return 0.0 if has_more else duty.period_s

    def _note_failure(self, duty: _Duty, error: Exception) -> None:
        duty.failures += 1
        text = str(error) or repr(error)
        if not isinstance(error, WindlassError):
            self._journal.broken("reconciling.broken", error, name=duty.name)
        elif text != duty.error:
            self._journal.warning("reconciling.failed", name=duty.name, reason=text)
        duty.error = text


class _Missed:
    """The deliveries of one App that did not reach us. `urls`: the addresses of the repositories that it
    serves, by their names in lower case."""

    def __init__(
        self,
        app: str,
        *,
        github: GitHub,
        inbox: Inbox,
        urls: dict[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._github = github
        self._inbox = inbox
        self._urls = urls
        self._clock = clock
        self._journal = Journal("reconciling")
        self._read_to = float("-inf")
        self._settled: set[str] = set()
        self._elsewhere: set[int | None] = set()
        """Numbers of repositories that are not watched: nothing of them has to be fetched to know that."""

    def look(self) -> bool:
        """Take in the oldest of what was missed; whether there is more of it."""
        since = max(self._clock() - _KEPT_S, self._read_to - _OVERLAP_S)
        failed = list(self._github.fetch_missed(self._app, since=since))
        received = self._inbox.known({_id(missed) for missed in failed})
        missed = {
            found.guid: found
            for found in reversed(failed)
            if _id(found) not in received and found.guid not in self._settled and is_known(found.kind)
        }
        todo = [found for found in missed.values() if found.repository not in self._elsewhere]
        for found in todo[:_AT_ONCE]:
            self._replay(found)
            self._settled.add(found.guid)
        self._settled &= {found.guid for found in failed}
        if len(todo) <= _AT_ONCE and failed:
            self._read_to = failed[0].failed_at
        return len(todo) > _AT_ONCE

    def _replay(self, missed: MissedDelivery) -> None:
        if missed.repository in self._elsewhere:  # as an earlier one of these has told
            return
        found = self._github.fetch_delivery(self._app, missed)
        if found is None:
            return
        headers, body = found
        told = {"delivery": missed.guid, "kind": missed.kind}
        try:
            parsed = read_delivery(headers, body)
        except DeliveryRefused as error:
            self._journal.warning("delivery.unreadable", **told, reason=error)
            return
        url = self._urls.get(parsed.repository.lower())
        if url is None and parsed.number is not None:  # renamed since?
            url = self._github.address_of(parsed.number)
        if url is None:
            if missed.repository is not None:
                self._elsewhere.add(missed.repository)
            return
        if not parsed.events and not parsed.commands:
            return
        if self._inbox.put(from_github(parsed, headers, body, repository=url), at=self._clock()):
            self._journal.info("delivery.replayed", **told, repository=parsed.repository)


class _PullRequests:
    """The pull requests of one repository. What its webhooks told as well is known when it is taken."""

    def __init__(
        self, settings: RepositorySettings, *, github: GitHub, ledger: Ledger, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._github = github
        self._ledger = ledger
        self._clock = clock
        self._observed = f"{settings.url}#pulls"
        self._unheard = (
            Unheard(settings, github=github, ledger=ledger, clock=clock)
            if settings.webhook_secret is None
            else None
        )
        self._etag: str | None = None

    def look(self) -> bool:
        """Take in those that are new, or have new commits."""
        at = self._clock()
        last = self._ledger.refs.observed(self._observed)
        is_first = _KNOWN_MARK not in last
        found = self._github.fetch_pull_requests(self._settings.url, etag=self._etag, whole=is_first)
        if found is None:
            return False
        talk: tuple[list[NewDelivery], dict[str, str]] = ([], {})
        if self._unheard is not None:
            talk = self._unheard.read(found)
        heads = {event.ref or "": event.sha for event in found.events}
        moved = [event for event in found.events if last.get(event.ref or "") != event.sha]
        with self._ledger.transaction():
            if self._settings.run_existing or not is_first:
                news = [_news(event, before=last.get(event.ref or "")) for event in moved]
                self._ledger.inbox.put_all([observed_pull_request(event, at=at) for event in news], at=at)
            if self._unheard is not None:
                self._ledger.inbox.put_all(talk[0], at=at)
                self._unheard.note(talk[1], at=at)
            seen = heads if found.is_whole else {**last, **heads}
            self._ledger.refs.observe(self._observed, {**seen, _KNOWN_MARK: NO_COMMIT}, at=at)
        self._etag = found.etag
        return False


def _news(event: Event, *, before: str | None) -> Event:
    """What a webhook would have told of it."""
    action = "opened" if before is None else "synchronize"
    return replace(event, action=action, before=before, payload={**event.payload, "action": action})


def _id(missed: MissedDelivery) -> str:
    """What the inbox calls it."""
    return f"github:{missed.guid}"
