from __future__ import annotations

import pytest

from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, RunUpdate, State


def ended(ledger: Ledger, *, state: State = "success", key: str | None = None, **changes: object) -> str:
    """A run that has ended, with jobs, an attempt and events."""
    run_id = ledger.runs.create(new_run(**changes), at=1.0, key=key)
    assert run_id is not None
    ledger.runs.record(
        run_id,
        run=RunUpdate(state=state, ended_at=2.0),
        attempts=[AttemptUpdate(job_key="fit", number=1, state="ended", at=2.0)],
        events=[EventDraft(kind="job.ended", job_key="fit")],
        at=2.0,
    )
    return run_id


def test_a_removed_run_is_gone_with_all_that_is_known_of_it_and_others_stay(ledger: Ledger) -> None:
    gone, other = ended(ledger), ended(ledger)
    last = ledger.events.last()
    assert ledger.removal.remove(gone, at=3.0)
    with pytest.raises(UnknownRun):
        ledger.runs.get(gone)
    assert not ledger.runs.jobs(gone)
    assert not ledger.runs.attempts(gone)
    assert {event.run_id for event in ledger.events.after(0)} == {other}
    assert ledger.events.last() == last
    assert len(ledger.runs.jobs(other)) == 2


def test_thousands_of_events_go_in_pieces(ledger: Ledger) -> None:
    run_id = ended(ledger)
    drafts = [EventDraft(kind="job.metrics", job_key="fit", data={"points": []})] * 2500
    ledger.runs.record(run_id, events=drafts, at=2.0)
    assert ledger.removal.remove(run_id, at=3.0)
    assert ledger.events.after(0) == []


def test_to_remove_a_run_twice_is_no_error(ledger: Ledger) -> None:
    run_id = ended(ledger)
    assert ledger.removal.remove(run_id, at=3.0)
    assert ledger.removal.remove(run_id, at=3.0)


def test_what_a_removed_run_was_for_is_not_run_again(ledger: Ledger) -> None:
    run_id = ended(ledger, key="push of a commit")
    ledger.removal.remove(run_id, at=3.0)
    assert ledger.runs.create(new_run(), at=4.0, key="push of a commit") is None
    ledger.removal.forget_keys(before=3.5)
    assert ledger.runs.create(new_run(), at=4.0, key="push of a commit") is not None


@pytest.mark.parametrize("state", ["queued", "waiting", "running"])
def test_a_run_that_has_not_ended_is_not_removed(ledger: Ledger, state: State) -> None:
    run_id = ended(ledger, state=state)
    assert ledger.removal.obstacle(run_id) == f"it is {state}"
    assert not ledger.removal.remove(run_id, at=3.0)
    assert ledger.runs.get(run_id).state == state
    assert ledger.events.after(0)


def test_a_run_stays_as_long_as_one_that_ran_it_again(ledger: Ledger) -> None:
    first = ended(ledger)
    again = ended(ledger, rerun_of=first)
    assert again in str(ledger.removal.obstacle(first))
    assert not ledger.removal.remove(first, at=3.0)
    assert ledger.removal.remove(again, at=3.0)
    assert ledger.removal.remove(first, at=3.0)


def test_a_run_stays_until_its_status_is_posted(ledger: Ledger) -> None:
    run_id = ended(ledger)
    ledger.outbox.mark("digits", "a" * 40, at=2.0)
    assert not ledger.removal.remove(run_id, at=3.0)
    (item,) = ledger.outbox.due(at=3.0)
    ledger.outbox.done(item.repository, item.sha, item.version)
    assert ledger.removal.remove(run_id, at=3.0)
