"""Containers made before their turn: of the job that will follow the one that runs now."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from windlass_registry.errors import WindlassError
from windlass_runner.engines.base import Lane
from windlass_runner.plan.model import JobSpec
from windlass_runner.plan.steps import texts_in
from windlass_runner.run.active import ActiveRun
from windlass_runner.run.attempt import Attempt
from windlass_runner.run.gates import has_gate

log = logging.getLogger("windlass_runner.ahead")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    attempt: Attempt
    lane: Lane
    future: Future[None]


class Ahead:
    """Makes attempts ahead, at most one for each slot, and hands them over. Safe for threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="windlass-ahead")
        self._made: dict[tuple[str, str], _Made] = {}
        self._possible: dict[int, tuple[JobSpec, bool]] = {}
        self._lock = threading.Lock()

    def is_possible(self, spec: JobSpec) -> bool:
        """Whether all of a job is known before those that it needs have ended."""
        known = self._possible.get(id(spec))
        if known is None:
            known = self._possible[id(spec)] = (spec, _is_settled(spec))
        return known[1]

    def make(self, active: ActiveRun, key: str, lane: Lane) -> None:
        """Begin to make the first attempt of a job."""
        attempt = active.attempt(key, 1, lane)
        future = self._pool.submit(_create, attempt)
        with self._lock:
            self._made[active.id, key] = _Made(attempt=attempt, lane=lane, future=future)

    def take(self, run_id: str, key: str, lane: Lane) -> Attempt | None:
        """The attempt that was made ahead for this lane, complete; None where there is none.

        One that lies in another lane is removed first, so that its name is free again."""
        with self._lock:
            made = self._made.pop((run_id, key), None)
        if made is None:
            return None
        made.future.exception()
        if made.lane == lane:
            return made.attempt
        made.attempt.discard()
        return None

    def take_ready(self, run_id: str, key: str) -> Attempt | None:
        """The attempt that was made ahead, without waiting; None: there is none, or it is not ready."""
        with self._lock:
            made = self._made.get((run_id, key))
            if made is None or not made.future.done():
                return None
            del self._made[run_id, key]
        return made.attempt

    def discard(self, run_id: str, key: str) -> None:
        """Undo what was made for a job that will not run now."""
        with self._lock:
            made = self._made.pop((run_id, key), None)
        if made is not None:
            made.future.exception()
            made.attempt.discard()

    def close(self) -> None:
        """Make nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _create(attempt: Attempt) -> None:
    try:
        attempt.create_ahead()
    except (WindlassError, OSError) as error:
        log.debug("not made ahead: %s", error)  # the attempt itself meets it again, and reports it


def _is_settled(spec: JobSpec) -> bool:
    if has_gate(spec):  # until it is let through there is neither a container nor a secret
        return False
    if spec.services or any(item.job is not None for item in spec.inputs) or spec.concurrency is not None:
        return False
    return not any("needs" in text and ("${{" in text or "." in text) for text in texts_in(spec))
