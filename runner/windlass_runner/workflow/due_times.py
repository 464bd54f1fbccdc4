"""When a schedule is due: from a cron text and a time zone to moments. Pure; moments are in UTC.

Clocks that are put forward and back follow one rule, so that a nightly job runs once a night. Where the
cron text names hours (`30 2 * * *`), a local time that does not exist is due at the first moment after the
gap, and one that exists twice is due the first time only. Where it leaves the hours open (`*/15 * * * *`), it
is due whenever the local clock shows such a minute, in real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from typing import Final
from zoneinfo import ZoneInfo

from windlass_runner.workflow.cron import Cron, parse_cron

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_DAYS_LOOKED_AT: Final = 366 * 9
"""The 29th of February may be eight years away (1896 to 1904, 2096 to 2104)."""
_WINDOWS: Final = (timedelta(hours=1), _DAY, 32 * _DAY, 366 * _DAY)


def zone_of(name: str) -> tzinfo:
    """The time zone of that name; UTC needs no data of the host.

    Raises:
        ValueError, OSError, KeyError: the host does not know it.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTimes:
    """The moments at which one schedule is due."""

    cron: Cron
    zone: tzinfo

    @classmethod
    def of(cls, cron: str, timezone: str) -> DueTimes:
        """Those of a checked cron text and the name of a time zone.

        Raises:
            CronError: the text has no meaning.
            ValueError, OSError, KeyError: the host does not know the zone.
        """
        return cls(cron=parse_cron(cron), zone=zone_of(timezone))

    def after(self, moment: datetime) -> datetime | None:
        """The first one that is later; None: there is no such day in the calendar."""
        return next(self._after(moment), None)

    def latest(self, since: datetime, until: datetime) -> datetime:
        """The last one up to `until`; `since` is an earlier one. The many in between are not counted."""
        for window in _WINDOWS:
            found: datetime | None = None
            for one in self._after(max(since - _MINUTE, until - window)):
                if one > until:
                    break
                found = one
            if found is not None:
                return found
        return since

    def _after(self, moment: datetime) -> Iterator[datetime]:
        local = moment.astimezone(self.zone).date() - _DAY  # a gap may have carried one over midnight
        for number in range(_DAYS_LOOKED_AT):
            day = local + number * _DAY
            if self.cron.includes_day(day):
                yield from (one for one in self._of_day(day) if one > moment)

    def _of_day(self, day: date) -> Iterator[datetime]:
        if self.cron.is_hourly:
            yield from self._shown_on(day)
            return
        last: datetime | None = None
        for hour in sorted(self.cron.hours):
            for minute in sorted(self.cron.minutes):
                one = self._moment(datetime.combine(day, time_of_day(hour, minute)))
                if last is None or one > last:  # several in one gap are due once, behind it
                    yield one
                    last = one

    def _shown_on(self, day: date) -> Iterator[datetime]:
        """The minutes of a local day, as they pass: 23 to 25 hours of them, or what a gap leaves."""
        one = self._moment(datetime.combine(day, time_of_day()))
        end = self._moment(datetime.combine(day + _DAY, time_of_day()))
        while one < end:
            if one.astimezone(self.zone).minute in self.cron.minutes:
                yield one
            one += _MINUTE

    def _moment(self, local: datetime) -> datetime:
        """When the local clock shows that first; of a time that it never shows, when the gap ends."""
        early = local.replace(tzinfo=self.zone)
        moment = early.astimezone(UTC)
        if moment.astimezone(self.zone).replace(tzinfo=None) == local:
            return moment
        before = early.replace(fold=1).astimezone(UTC)
        offset = before.astimezone(self.zone).utcoffset()
        while before.astimezone(self.zone).utcoffset() == offset:
            before += _MINUTE
        return before
