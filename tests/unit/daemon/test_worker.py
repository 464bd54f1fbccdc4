from __future__ import annotations

import threading

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


def test_pauses_grow_to_a_limit() -> None:
    assert [backoff_s(n, first=1, longest=5) for n in (1, 2, 3, 4, 1000)] == [1, 2, 4, 5, 5]
