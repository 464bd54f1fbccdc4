from __future__ import annotations

from dataclasses import replace

import pytest

from unit.ledger.ledger_values import new_delivery, new_run
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import InboxCounts


def test_a_delivery_comes_out_as_it_went_in(ledger: Ledger) -> None:
    assert ledger.inbox.put(new_delivery(), at=1.5)
    (delivery,) = ledger.inbox.take(10, at=2.0)
    sent = new_delivery()
    assert (delivery.id, delivery.forge, delivery.repository) == (sent.id, sent.forge, sent.repository)
    assert (delivery.kind, delivery.headers, delivery.body) == (sent.kind, sent.headers, sent.body)
    assert (delivery.received_at, delivery.tries) == (1.5, 1)


def test_a_redelivery_is_refused_also_after_it_was_handled(ledger: Ledger) -> None:
    assert ledger.inbox.put(new_delivery(), at=1.0)
    assert not ledger.inbox.put(new_delivery(body=b"other"), at=2.0)
    ledger.inbox.done("d1", at=3.0)
    assert not ledger.inbox.put(new_delivery(), at=4.0)
    assert ledger.inbox.take(10, at=5.0) == []


def test_the_inbox_knows_what_it_was_given_also_after_it_was_handled(ledger: Ledger) -> None:
    ledger.inbox.put_all([new_delivery("a"), new_delivery("b")], at=1.0)
    ledger.inbox.done("a", at=2.0)
    assert ledger.inbox.known({"a", "b", "c"}) == {"a", "b"}
    assert ledger.inbox.known(()) == frozenset()


def test_deliveries_are_taken_oldest_first_until_they_are_done(ledger: Ledger) -> None:
    for name in ("c", "a", "b"):
        ledger.inbox.put(new_delivery(name), at=1.0)
    assert [delivery.id for delivery in ledger.inbox.take(2, at=2.0)] == ["c", "a"]
    ledger.inbox.done("c", at=3.0)
    again = ledger.inbox.take(10, at=4.0)
    assert [(delivery.id, delivery.tries) for delivery in again] == [("a", 2), ("b", 1)]


def test_several_are_put_together_and_one_that_was_there_holds_up_none(ledger: Ledger) -> None:
    ledger.inbox.put(new_delivery("b"), at=1.0)
    sent = [new_delivery(name) for name in ("a", "b", "c", "a")]
    assert ledger.inbox.put_all(sent, at=2.0) == [True, False, True, False]
    assert [delivery.id for delivery in ledger.inbox.take(9, at=3.0)] == ["b", "a", "c"]


def test_what_comes_into_the_inbox_is_told_to_nobody_who_waits_for_changes(ledger: Ledger) -> None:
    ledger.inbox.put(new_delivery("a"), at=1.0)
    seen = -1
    while (told := ledger.wait_for_change(seen, 0.0)) != seen:
        seen = told
    ledger.inbox.put(new_delivery("b"), at=2.0)
    assert ledger.wait_for_change(seen, 0.0) == seen
    ledger.outbox.mark("digits", "a", at=3.0)
    assert ledger.wait_for_change(seen, 0.0) > seen


def test_deliveries_of_some_repositories_can_be_left_alone(ledger: Ledger) -> None:
    for name, repository in (("a", "x"), ("b", "y"), ("c", "z")):
        ledger.inbox.put(replace(new_delivery(name), repository=repository), at=1.0)
    assert [delivery.id for delivery in ledger.inbox.take(9, at=2.0, besides={"x", "z"})] == ["b"]
    assert ledger.inbox.take(9, at=2.0, besides={"x", "y", "z"}) == []
    assert [delivery.tries for delivery in ledger.inbox.take(9, at=3.0)] == [1, 2, 1]


def test_the_inbox_counts_what_waits_and_what_failed(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        ledger.inbox.put(new_delivery(name), at=1.0)
    ledger.inbox.done("a", at=2.0)
    ledger.inbox.done("b", at=2.0, error="no such commit\x00")
    assert ledger.inbox.counts() == InboxCounts(waiting=1, failed=1)


def test_marks_of_one_commit_become_one_item(ledger: Ledger) -> None:
    for at in (1.0, 2.0, 3.0):
        ledger.outbox.mark("digits", "a", at=at)
    ledger.outbox.mark("digits", "b", at=2.0)
    assert [(item.sha, item.version) for item in ledger.outbox.due(at=3.0)] == [("a", 3), ("b", 1)]
    assert ledger.outbox.due(at=0.5) == []


def test_a_post_is_done_only_if_nothing_changed_meanwhile(ledger: Ledger) -> None:
    ledger.outbox.mark("digits", "a", at=1.0)
    (item,) = ledger.outbox.due(at=1.0)
    ledger.outbox.mark("digits", "a", at=2.0)
    ledger.outbox.done("digits", "a", item.version)
    (newer,) = ledger.outbox.due(at=2.0)
    assert newer.version == item.version + 1
    ledger.outbox.done("digits", "a", newer.version)
    assert ledger.outbox.due(at=9.0) == []
    assert ledger.outbox.next_due_at() is None


def test_a_failed_post_is_put_off_and_marks_do_not_hurry_it(ledger: Ledger) -> None:
    ledger.outbox.mark("digits", "a", at=1.0)
    ledger.outbox.failed("digits", "a", retry_at=10.0, error="503")
    ledger.outbox.mark("digits", "a", at=2.0)
    assert ledger.outbox.due(at=9.0) == []
    assert ledger.outbox.next_due_at() == 10.0
    (item,) = ledger.outbox.due(at=10.0)
    assert (item.tries, item.version) == (1, 2)
    ledger.outbox.done("digits", "a", 1)
    assert [item.tries for item in ledger.outbox.due(at=3.0)] == [0]


def test_a_request_is_answered_once(ledger: Ledger) -> None:
    first = ledger.requests.put("start", {"workflow": "train"}, at=1.0)
    second = ledger.requests.put("rerun", {"run_id": "x"}, at=2.0)
    assert [(request.id, request.kind) for request in ledger.requests.take()] == [
        (first, "start"),
        (second, "rerun"),
    ]
    assert ledger.requests.take()[0].payload == {"workflow": "train"}
    assert ledger.requests.result(first) is None
    ledger.requests.done(first, {"run_id": "r"})
    ledger.requests.done(first, {"run_id": "another"})
    assert ledger.requests.result(first) == {"run_id": "r"}
    assert [request.id for request in ledger.requests.take()] == [second]
    assert ledger.requests.result(999) is None


def test_a_cancel_request_marks_the_run_at_once(ledger: Ledger) -> None:
    run_id = ledger.runs.create(new_run(), at=1.0)
    assert run_id
    ledger.requests.put("cancel", {"run_id": run_id}, at=2.0)
    ledger.requests.put("cancel", {"run_id": run_id}, at=3.0)
    assert ledger.runs.get(run_id).is_cancel_requested
    assert [event.kind for event in ledger.events.after(0)] == ["run.created", "run.cancel_requested"]
    assert len(ledger.requests.take()) == 2


def test_a_cancel_request_for_an_unknown_run_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UnknownRun):
        ledger.requests.put("cancel", {"run_id": "nope"}, at=2.0)
    assert ledger.requests.take() == []
