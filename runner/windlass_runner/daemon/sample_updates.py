"""Looks once an hour whether samples have newer releases for the repositories that are subscribed to them.

One thread, one repository after the other, with a pause behind each offer: nobody waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from windlass_registry.errors import WindlassError
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.worker import backoff_s
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.sample_offers import SampleOffer

FIRST_AFTER_S: Final = 20.0
"""After the beginning: what was pushed meanwhile goes first."""
ROUND_S: Final = 3600.0
PAUSE_S: Final = 10.0
_APART_S: Final = 60.0
"""At most, between the first looks at two repositories: a look asks git, and many together would be felt."""
_FIRST_RETRY_S: Final = 60.0
_SHOWN: Final = 50


class Offering(Protocol):
    """What offers one release; see `daemon.sample_offering`."""

    def offer_next(self, settings: RepositorySettings) -> SampleOffer | None: ...


class SampleUpdates:
    """Call `turn` from one thread; `troubles` from any."""

    def __init__(
        self,
        *,
        repositories: Iterable[RepositorySettings],
        offering: Offering,
        monotonic: Callable[[], float],
        first_after_s: float = FIRST_AFTER_S,
    ) -> None:
        self._offering = offering
        self._monotonic = monotonic
        self._journal = Journal("sample-updates")
        wanted = [found for found in repositories if found.sample_updates != "off"]
        self._settings = {found.url: found for found in wanted}
        first, apart_s = monotonic() + first_after_s, min(_APART_S, ROUND_S / max(1, len(wanted)))
        self._due = {url: first + place * apart_s for place, url in enumerate(self._settings)}
        self._failures: dict[str, int] = {}
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}

    def turn(self) -> float | None:
        """Look at one repository, if one is due; gives the seconds until the next is. None: there is none."""
        if not self._due:
            return None
        url = min(self._due, key=self._due.__getitem__)
        if self._due[url] <= self._monotonic():
            pause_s = self._look(self._settings[url])
            self._due[url] = self._monotonic() + pause_s
        return max(0.0, min(self._due.values()) - self._monotonic())

    def troubles(self) -> dict[str, str]:
        """Repositories of which the samples cannot be looked after now, with the reason."""
        with self._lock:
            return dict(self._troubles)

    def _look(self, settings: RepositorySettings) -> float:
        """The seconds until it is looked at again."""
        try:
            offer = self._offering.offer_next(settings)
        except Exception as error:  # the outermost loop of this repository: others go on
            return self._note_trouble(settings, error)
        self._failures.pop(settings.url, None)
        with self._lock:
            self._troubles.pop(settings.url, None)
        return ROUND_S if offer is None else PAUSE_S

    def _note_trouble(self, settings: RepositorySettings, error: Exception) -> float:
        reason = str(error) or repr(error)
        self._failures[settings.url] = self._failures.get(settings.url, 0) + 1
        with self._lock:
            before = self._troubles.get(settings.url)
            self._troubles[settings.url] = reason
        if not isinstance(error, WindlassError):
            self._journal.broken("sample.broken", error, repository=settings.name)
        elif before != reason:
            self._journal.warning("sample.waits", repository=settings.name, reason=reason)
        return backoff_s(self._failures[settings.url], first=_FIRST_RETRY_S, longest=ROUND_S)


def offered_last(ledger: Ledger, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was offered last, and what became of it: for `/healthz`. `names`: of repositories."""
    return [
        {
            "repository": names.get(offer.repository, offer.repository),
            "subscription": offer.name,
            "sample": offer.sample,
            "from": offer.old_version,
            "to": offer.version,
            "state": offer.state,
            "branch": offer.branch if offer.sha else "",
            "page": offer.page,
            "note": offer.note,
            "at": offer.at,
        }
        for offer in ledger.sample_offers.of()[:_SHOWN]
    ]
