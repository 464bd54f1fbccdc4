"""Slow things begun early, while something else is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Warmth(Generic[_T]):
    """A call made in a thread of its own: the engine's imports and its first answer."""

    def __init__(self, begin: Callable[[], _T]) -> None:
        self._begin = begin
        self._found: list[_T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.append(self._begin())
        except BaseException as error:
            self._error = error

    def wait(self) -> _T:
        """Block until it has answered; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found[0]
