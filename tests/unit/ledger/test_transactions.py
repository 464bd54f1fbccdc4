from __future__ import annotations

import threading

import pytest

from unit.ledger.ledger_values import new_delivery, new_run
from windlass_runner.ledger.errors import UnknownJob, UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, RunUpdate


def quiet(ledger: Ledger) -> int:
    """The number to wait with, after the first look around, which may wake up for nothing."""
    return ledger.wait_for_change(ledger.wait_for_change(-1, 0), 0)


def test_several_writes_become_visible_together(ledger: Ledger) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(ledger.runs.list()))

    with ledger.transaction():
        generation = ledger.refs.note_move("digits", "main", None, "a", observed=False, at=1.0)
        run_id = ledger.runs.create(new_run(), at=1.0, key="k")
        ledger.outbox.mark("digits", "a", at=1.0)
        assert generation == 0
        assert run_id
        assert ledger.runs.get(run_id).state == "queued"
        other = threading.Thread(target=look)
        other.start()
        other.join()
    look()
    assert seen == [0, 1]


def test_an_exception_undoes_the_whole_transaction(ledger: Ledger) -> None:
    ledger.inbox.put(new_delivery(), at=1.0)

    def fail_late() -> None:
        with ledger.transaction():
            ledger.refs.note_move("digits", "main", None, "a", observed=False, at=1.0)
            ledger.runs.create(new_run(), at=1.0)
            ledger.inbox.done("d1", at=1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert ledger.refs.heads("digits") == {}
    assert ledger.runs.list() == []
    assert ledger.events.last() == 0
    assert len(ledger.inbox.take(1, at=2.0)) == 1


def test_a_part_that_failed_is_undone_though_the_rest_goes_on(ledger: Ledger) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    late = AttemptUpdate(job_key="nobody", number=1, state="created", at=2.0)
    with ledger.transaction():
        ledger.outbox.mark("digits", "a", at=2.0)
        with pytest.raises(UnknownJob):
            ledger.runs.record(run_id, run=RunUpdate(state="running"), attempts=[late], at=2.0)
        with pytest.raises(UnknownRun):
            ledger.runs.record("0000000000000", events=[EventDraft(kind="x")], at=2.0)
    assert ledger.runs.get(run_id).state == "queued"
    assert len(ledger.outbox.due(at=2.0)) == 1
    assert [event.kind for event in ledger.events.after(0)] == ["run.created"]


def test_many_threads_write_and_read_at_once(ledger: Ledger) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(20):
                drafts = [EventDraft(kind=name, data={"n": n})] * 2
                ledger.runs.record(run_id, run=RunUpdate(reason=f"{name} {n}"), events=drafts, at=2.0)
                assert ledger.runs.get(run_id).reason
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    events = [event for event in ledger.events.after(0) if event.kind != "run.created"]
    assert len(events) == 8 * 20 * 2
    pairs = list(zip(events[::2], events[1::2], strict=True))
    assert all((one.kind, one.data) == (two.kind, two.data) for one, two in pairs)


def test_a_waiting_thread_is_woken_by_a_commit(ledger: Ledger) -> None:
    seen = quiet(ledger)
    woken: list[int] = []
    thread = threading.Thread(target=lambda: woken.append(ledger.wait_for_change(seen, 60)))
    thread.start()
    ledger.outbox.mark("digits", "a", at=1.0)
    thread.join(timeout=30)
    assert woken
    assert woken[0] > seen


def test_waiting_ends_without_a_change(ledger: Ledger) -> None:
    seen = quiet(ledger)
    assert ledger.wait_for_change(seen, 0.02) == seen


def test_many_waiting_threads_all_notice_another_ledgers_commit(ledger: Ledger, address: str) -> None:
    seen = quiet(ledger)
    woken: list[int] = []
    threads = [
        threading.Thread(target=lambda: woken.append(ledger.wait_for_change(seen, 60))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    with Ledger.open(address) as other:
        other.outbox.mark("digits", "a", at=1.0)
    for thread in threads:
        thread.join(timeout=30)
    assert len(woken) == 5
    assert min(woken) > seen
