"""Cron texts of five fields, as GitHub and POSIX write them: read, checked, and matched. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

_MONTHS: Final = dict(
    zip(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        range(1, 13),
        strict=True,
    )
)
_HOURS: Final = 24
_DAYS: Final = dict(zip(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], range(7), strict=True))


class CronError(ValueError):
    """A cron text that has no meaning; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    least: int
    most: int
    words: dict[str, int]


_FIELDS: Final = (
    _Field(name="minute", least=0, most=59, words={}),
    _Field(name="hour", least=0, most=23, words={}),
    _Field(name="day of the month", least=1, most=31, words={}),
    _Field(name="month", least=1, most=12, words=_MONTHS),
    _Field(name="day of the week", least=0, most=7, words=_DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The minutes that a cron text names. 0 is Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool
    """Both day fields are restricted: then one of them is enough (POSIX crontab)."""

    def includes(self, minute: datetime) -> bool:
        """Whether it is due in this minute (of the schedule's own time zone)."""
        return self.includes_day(minute) and minute.hour in self.hours and minute.minute in self.minutes

    def includes_day(self, day: date) -> bool:
        """Whether it is due on this day at all."""
        is_day = day.day in self.days
        is_weekday = day.isoweekday() % 7 in self.weekdays
        is_today = is_day or is_weekday if self.is_either_day else is_day and is_weekday
        return is_today and day.month in self.months

    @property
    def is_hourly(self) -> bool:
        """Whether it leaves the hours open."""
        return len(self.hours) == _HOURS


def parse_cron(text: str) -> Cron:
    """Read a cron text.

    Raises:
        CronError: says which field is wrong, and how.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronError(
            f"a cron text has five fields (minute hour day month weekday), '{text}' has {len(parts)}"
        )
    minutes, hours, days, months, weekdays = (
        _read_field(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        is_either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )


def _read_field(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step_text = item.partition("/")
        step = 1
        if slash:
            if not step_text.isdecimal() or int(step_text) == 0:
                raise CronError(f"the {field.name} '{text}' has a step that is not a whole number above 0")
            step = int(step_text)
        first, last = _read_span(span, field, has_step=bool(slash))
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _read_span(text: str, field: _Field, *, has_step: bool) -> tuple[int, int]:
    if text == "*":
        return field.least, field.most
    low, dash, high = text.partition("-")
    first = _read_number(low, field)
    if not dash:
        return first, field.most if has_step else first
    last = _read_number(high, field)
    if last < first:
        raise CronError(f"the {field.name} '{text}' runs backwards")
    return first, last


def _read_number(text: str, field: _Field) -> int:
    number = field.words.get(text.lower())
    if number is None and text.isdecimal():
        number = int(text)
    if number is None or not field.least <= number <= field.most:
        raise CronError(f"the {field.name} cannot be '{text}' (it goes from {field.least} to {field.most})")
    return number
