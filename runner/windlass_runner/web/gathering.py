"""Small pieces of blocking work, done together: while some are in work, the next ones gather."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """`work` may block, takes several items at once, and answers in their order; it is called on one thread
    of its own. For one event loop's thread."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="windlass-gathering")
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def do(self, item: T) -> R:
        """The answer for an item. Raises what `work` raised for those with which it was done."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work_off())
        return await answer

    async def _work_off(self) -> None:
        while self._waiting:
            items, self._waiting = self._waiting, []
            await self._do_all(items)
        self._task = None

    async def _do_all(self, items: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            loop = asyncio.get_running_loop()
            values = await loop.run_in_executor(self._thread, self._work, [item for item, _ in items])
        except Exception as error:
            for _, answer in items:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), value in zip(items, values, strict=True):
            if not answer.done():  # nobody waits for it any more
                answer.set_result(value)
