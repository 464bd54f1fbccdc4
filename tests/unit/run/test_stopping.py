from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass_runner.run.scratch import AttemptFolders
from windlass_runner.run.stopping import LAST_STEPS_S, Stop, Stopping


@pytest.fixture
def folders(tmp_path: Path) -> AttemptFolders:
    control = tmp_path / "control"
    control.mkdir()
    return AttemptFolders(
        root=tmp_path,
        checkpoint=tmp_path / "checkpoint",
        workspace=tmp_path / "workspace",
        outputs=tmp_path / "outputs",
        control=control,
    )


@pytest.fixture
def life(folders: AttemptFolders) -> Callable[[], Stopping]:
    """One life of an attempt after the other, all at the second 1000."""
    return lambda: Stopping(folders, clock=lambda: 1000.0)


def begin(stopping: Stopping, folders: AttemptFolders, number: int) -> bool:
    folders.step(number).mkdir(parents=True, exist_ok=True)
    return stopping.enter(number)


def test_a_stop_meets_the_step_that_came_last_before_it(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    one = life()
    before = [begin(one, folders, number) for number in (1, 2)]
    one.ask("cancelled", "enough")
    after = [begin(one, folders, number) for number in (2, 3)]

    assert one.stop == Stop(reason="cancelled", because="enough", step=2, at=1000.0)
    assert (before, after) == ([False, False], [False, True])
    assert [one.has_met(number) for number in (1, 2, 3)] == [False, True, False]


def test_the_next_life_decides_about_every_step_as_the_first(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    first = life()
    begin(first, folders, 1)
    begin(first, folders, 2)
    first.ask("timeout", "late")
    begin(first, folders, 3)
    second = life()

    assert [begin(second, folders, number) for number in (1, 2, 3)] == [False, False, True]
    assert second.stop == first.stop


def test_a_stop_that_comes_to_the_next_life_meets_the_step_that_the_first_had_begun(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    first = life()
    for number in (1, 2, 3):
        begin(first, folders, number)
    second = life()
    second.ask("cancelled", "enough")

    assert second.stop is not None
    assert second.stop.step == 3


def test_the_first_stop_counts(life: Callable[[], Stopping]) -> None:
    stopping = life()
    stopping.ask("timeout", "late")
    stopping.ask("cancelled", "enough")

    assert stopping.stop is not None
    assert (stopping.stop.reason, stopping.stop.because) == ("timeout", "late")


def test_before_the_first_step_all_steps_come_after_the_stop(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    stopping = life()
    stopping.ask("cancelled", "enough")

    assert begin(stopping, folders, 1)
    assert not stopping.has_met(1)


def test_by_force_the_steps_after_the_stop_are_barred(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    stopping = life()
    begin(stopping, folders, 1)
    stopping.ask("cancelled", "enough")
    assert not stopping.bars(2)
    stopping.ask("cancelled", "now", force=True)

    assert [stopping.bars(number) for number in (1, 2)] == [False, True]
    assert stopping.has_met(2)


def test_the_time_of_the_last_steps_goes_on_through_a_crash(
    life: Callable[[], Stopping], folders: AttemptFolders
) -> None:
    first = life()
    begin(first, folders, 1)
    first.ask("cancelled", "enough")
    later = Stopping(folders, clock=lambda: 1060.0)
    begin(later, folders, 1)

    assert first.left_s() == LAST_STEPS_S
    assert later.left_s() == LAST_STEPS_S - 60
