from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.forges.github.pacing import Pacer


def write_steadily(pacer: Pacer, *, seconds: float, is_urgent: bool) -> list[float]:
    """When writes go out if there is always one more to write."""
    now, times = 0.0, []
    while True:
        now += pacer.wait_s(now, is_urgent=is_urgent)
        if now >= seconds:
            return times
        pacer.note_write(now)
        times.append(now)


def test_the_first_write_goes_at_once_and_the_next_a_second_later() -> None:
    pacer = Pacer()
    assert pacer.wait_s(10.0, is_urgent=True) == 0
    pacer.note_write(10.0)
    assert pacer.wait_s(10.25, is_urgent=True) == 0.75
    assert pacer.wait_s(11.0, is_urgent=True) == 0


def test_never_more_than_eighty_a_minute_nor_five_hundred_an_hour() -> None:
    times = write_steadily(Pacer(), seconds=7200, is_urgent=True)
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))
    for start in times:
        assert sum(1 for at in times if start <= at < start + 60) <= 80
        assert sum(1 for at in times if start <= at < start + 3600) <= 500


def test_progress_slows_down_and_leaves_writes_for_what_ends() -> None:
    pacer = Pacer()
    times = write_steadily(pacer, seconds=3600, is_urgent=False)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] == 2
    assert gaps == sorted(gaps)
    assert 100 < len(times) < 360
    assert pacer.wait_s(3600, is_urgent=True) <= 1


def test_what_github_tells_to_wait_is_waited_by_all() -> None:
    pacer = Pacer()
    pacer.hold(100.0)
    pacer.hold(50.0)
    assert pacer.held_s(40.0) == 60
    assert pacer.wait_s(40.0, is_urgent=True) == 60
    assert pacer.held_s(101.0) == 0


def test_a_clock_that_jumps_back_does_not_stop_us() -> None:
    pacer = Pacer()
    pacer.note_write(1_000_000.0)
    assert pacer.wait_s(5.0, is_urgent=True) == 0


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=200))
def test_the_minutes_limit_holds_whatever_the_mixture(asks: list[tuple[float, bool]]) -> None:
    pacer, now, times = Pacer(), 0.0, []
    for idle_s, is_urgent in asks:
        now += idle_s
        now += pacer.wait_s(now, is_urgent=is_urgent)
        pacer.note_write(now)
        times.append(now)
    assert all(sum(1 for at in times if start <= at < start + 60) <= 80 for start in times)
