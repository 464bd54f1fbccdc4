from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_runner.workflow.cron import parse_cron
from windlass_runner.workflow.due_times import DueTimes

SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""In Berlin 2026-03-29 has no time between 2:00 and 3:00, and 2026-10-25 has that hour twice."""
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)


def due(cron: str, zone: str, after: datetime, count: int = 3) -> list[str]:
    """The next moments, as the local clock shows them, with its distance from UTC."""
    times, found = DueTimes.of(cron, zone), []
    for _ in range(count):
        moment = times.after(after)
        assert moment is not None
        found.append(moment.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z"))
        after = moment
    return found


def test_a_schedule_is_due_at_the_minutes_of_its_own_zone() -> None:
    assert due("0 3 * * *", "Asia/Kolkata", SPRING) == ["29 03:00+0530", "30 03:00+0530", "31 03:00+0530"]
    assert due("0 0 29 2 *", "UTC", SPRING, 1) == ["29 00:00+0000"]


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("30 2 * * *", ["29 03:00+0200", "30 02:30+0200", "31 02:30+0200"]),
        ("0,20,40 2 * * *", ["29 03:00+0200", "30 02:00+0200", "30 02:20+0200"]),
        ("0 2,3 * * *", ["29 03:00+0200", "30 02:00+0200", "30 03:00+0200"]),
        ("30 * * * *", ["28 13:30+0100", "28 14:30+0100", "28 15:30+0100"]),
    ],
)
def test_a_time_that_the_clock_leaps_over_is_due_behind_the_gap(cron: str, found: list[str]) -> None:
    assert due(cron, "Europe/Berlin", SPRING) == found


def test_what_is_due_at_all_hours_follows_real_time() -> None:
    before = datetime(2026, 3, 29, 0, tzinfo=UTC)
    assert due("30 * * * *", "Europe/Berlin", before) == ["29 01:30+0100", "29 03:30+0200", "29 04:30+0200"]
    before = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert due("30 * * * *", "Europe/Berlin", before) == ["25 02:30+0200", "25 02:30+0100", "25 03:30+0100"]


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("30 2 * * *", ["25 02:30+0200", "26 02:30+0100", "27 02:30+0100"]),
        ("0 3 * * *", ["25 03:00+0100", "26 03:00+0100", "27 03:00+0100"]),
    ],
)
def test_a_time_that_comes_twice_is_due_once(cron: str, found: list[str]) -> None:
    assert due(cron, "Europe/Berlin", AUTUMN) == found


def test_midnights_and_whole_days_that_do_not_exist() -> None:
    havana = datetime(2026, 3, 7, 12, tzinfo=UTC)  # the clock goes from 0:00 to 1:00 there
    assert due("0 0 * * *", "America/Havana", havana, 2) == ["08 01:00-0400", "09 00:00-0400"]
    samoa = datetime(2011, 12, 29, 12, tzinfo=UTC)  # which had no 30th of December
    assert due("0 12 * * *", "Pacific/Apia", samoa, 3) == ["29 12:00-1000", "31 00:00+1400", "31 12:00+1400"]


def test_a_day_that_no_calendar_has_is_never_due() -> None:
    assert DueTimes.of("0 0 30 2 *", "UTC").after(SPRING) is None


def test_of_what_was_missed_the_latest_counts() -> None:
    def latest(cron: str, days: float) -> datetime:
        times = DueTimes.of(cron, "UTC")
        since = times.after(SPRING)
        assert since is not None
        return times.latest(since, SPRING + timedelta(days=days, seconds=30))

    assert latest("* * * * *", 500) == SPRING + timedelta(days=500)
    assert latest("0 3 * * *", 0.9) == datetime(2026, 3, 29, 3, tzinfo=UTC)
    assert latest("0 3 1 * *", 40) == datetime(2026, 5, 1, 3, tzinfo=UTC)
    assert latest("0 3 1 1 *", 800) == datetime(2028, 1, 1, 3, tzinfo=UTC)


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
CRONS = ["*/7 * * * *", "15,45 1-4 * * *", "30 2 * * 0", "0 0 1 * 1"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_moments_only_go_forward_and_stand_in_the_text(cron: str, zone: str, after: datetime) -> None:
    times, minutes = DueTimes.of(cron, zone), parse_cron(cron)
    first = times.after(after)
    assert first is not None
    assert first > after
    second = times.after(first)
    assert second is not None
    assert second > first
    assert times.after(second - timedelta(seconds=1)) == second
    local = first.astimezone(ZoneInfo(zone))
    is_behind_a_gap = (
        local.utcoffset() != (first - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).utcoffset()
    )
    assert minutes.includes(local) or is_behind_a_gap
