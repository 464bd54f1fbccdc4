"""Amounts with units, and cron texts."""

from __future__ import annotations

from datetime import datetime

import pytest

from windlass_runner.workflow.cron import CronError, parse_cron
from windlass_runner.workflow.quantities import cpu_count, duration_s, size_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("40GB", 40 * 10**9),
        ("40gb", 40 * 10**9),
        ("40 GiB", 40 * 2**30),
        ("512Mi", 512 * 2**20),
        ("1.5k", 1500),
        ("7", 7),
        ("7B", 7),
        ("1Ti", 2**40),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "40XB", "-1GB", "1 2", "4iB", "1e3", "${{ x }}"])
def test_what_is_no_size_is_none(text: str) -> None:
    assert size_bytes(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2 days", 172_800),
        ("500ms", 0.5),
        ("1.5h", 5400),
    ],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1x", "m", "s1"])
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    assert duration_s(text) is None


def test_cpus_may_be_thousandths() -> None:
    assert cpu_count("500m") == 0.5
    assert cpu_count("4") == 4
    assert cpu_count("0") is None
    assert cpu_count("many") is None


def test_a_cron_text_names_minutes() -> None:
    cron = parse_cron("*/15 3,4 * JAN-MAR mon-fri")
    assert cron.includes(datetime(2026, 1, 5, 3, 45))
    assert not cron.includes(datetime(2026, 1, 5, 3, 46))
    assert not cron.includes(datetime(2026, 1, 4, 3, 45))
    assert not cron.includes(datetime(2026, 4, 6, 3, 45))


def test_of_two_restricted_day_fields_one_is_enough() -> None:
    cron = parse_cron("0 0 13 * 5")
    assert cron.includes(datetime(2026, 1, 13, 0, 0))
    assert cron.includes(datetime(2026, 1, 2, 0, 0))
    assert not cron.includes(datetime(2026, 1, 3, 0, 0))


def test_sunday_is_0_and_7() -> None:
    assert parse_cron("0 0 * * 7").weekdays == parse_cron("0 0 * * 0").weekdays == {0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "*/0 * * * *",
        "5-1 * * * *",
        "x * * * *",
    ],
)
def test_a_cron_text_without_meaning_is_refused(text: str) -> None:
    with pytest.raises(CronError):
        parse_cron(text)
