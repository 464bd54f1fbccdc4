from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from windlass_runner.web.gathering import Gathering


class Doubling:
    """Work that can be held up, and remembers what it was given at once."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        assert self.may_end.wait(60)
        if 13 in items:
            raise ValueError("thirteen")
        return [2 * item for item in items]


async def _held_up(work: Doubling, *items: int) -> list[asyncio.Task[int]]:
    """The first item at work, and the others waiting behind it."""
    gathering = Gathering(work)
    tasks = [asyncio.create_task(gathering.do(items[0]))]
    await asyncio.to_thread(work.begun.wait, 60)
    tasks += [asyncio.create_task(gathering.do(item)) for item in items[1:]]
    await asyncio.sleep(0)  # each has begun to wait
    return tasks


def test_what_comes_meanwhile_is_done_in_one_go() -> None:
    work = Doubling()

    async def scene() -> list[int]:
        tasks = await _held_up(work, 1, 2, 3, 4)
        work.may_end.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(scene()) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


def test_a_failure_is_told_to_those_whom_it_concerns_and_work_goes_on() -> None:
    work = Doubling()

    async def scene() -> list[int | BaseException]:
        tasks = await _held_up(work, 1, 13, 3)
        work.may_end.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        return [*answers, await Gathering(work).do(5)]

    one, *failed, five = asyncio.run(scene())
    assert (one, five) == (2, 10)
    assert [str(error) for error in failed] == ["thirteen", "thirteen"]


def test_who_does_not_wait_any_more_disturbs_nobody() -> None:
    work = Doubling()

    async def scene() -> int:
        first, gone, last = await _held_up(work, 1, 2, 3)
        gone.cancel()
        first.cancel()
        work.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await last

    assert asyncio.run(scene()) == 6
