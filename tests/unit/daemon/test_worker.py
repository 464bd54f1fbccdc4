from __future__ import annotations

import threading
import time
from itertools import pairwise

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.worker import Worker, backoff_s


def test_a_worker_survives_its_work_and_says_what_was_wrong() -> None:
    turns: list[int] = []
    failed, recovered = threading.Event(), threading.Event()

    def work() -> float | None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise OperatorError("no disk")
        recovered.set()
        return None

    worker = Worker("test", work)
    worker.start()
    assert recovered.wait(10)
    worker.stop()
    assert worker.join(10)
    assert len(turns) >= 2
    assert not failed.is_set()
    assert worker.state().error is None


def test_a_worker_works_when_it_is_woken() -> None:
    worked = threading.Semaphore(0)

    def work() -> None:
        worked.release()

    worker = Worker("test", work)
    worker.start()
    assert worked.acquire(timeout=10)
    worker.wake()
    assert worked.acquire(timeout=10)
    worker.stop()
    assert worker.join(10)
    assert not worker.state().is_alive


def test_a_worker_that_is_woken_again_and_again_keeps_its_pace() -> None:
    turns: list[float] = []
    worked = threading.Semaphore(0)

    def work() -> None:
        turns.append(time.monotonic())
        worked.release()

    worker = Worker("test", work, pace_s=0.05)
    worker.start()
    for _ in range(3):
        assert worked.acquire(timeout=10)
        worker.wake()
    worker.stop()
    assert worker.join(10)
    assert all(later - earlier >= 0.04 for earlier, later in pairwise(turns))


def test_a_worker_that_waits_for_its_next_turn_is_stopped_at_once() -> None:
    worked = threading.Event()
    worker = Worker("test", worked.set, pace_s=600)
    worker.start()
    assert worked.wait(10)
    worker.wake()
    worker.stop()
    assert worker.join(10)


def test_pauses_grow_to_a_limit() -> None:
    assert [backoff_s(n, first=1, longest=5) for n in (1, 2, 3, 4, 1000)] == [1, 2, 4, 5, 5]
