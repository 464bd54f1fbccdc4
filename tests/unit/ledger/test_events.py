from __future__ import annotations

from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft


def test_very_many_events_of_a_kind_are_sampled_evenly_with_the_newest(ledger: Ledger) -> None:
    run_id, other = (ledger.runs.create(new_run(), at=1.0) for _ in range(2))
    assert run_id is not None
    assert other is not None
    numbered = [
        EventDraft(kind="job.metrics", job_key="fit", data={"number": number}) for number in range(25)
    ]
    ledger.runs.record(run_id, events=numbered, at=2.0)
    ledger.runs.record(run_id, events=[EventDraft(kind="job.ended", job_key="fit")], at=2.0)
    ledger.runs.record(other, events=numbered, at=2.0)

    def sampled(limit: int) -> list[int]:
        return [event.data["number"] for event in ledger.events.sample(run_id, "job.metrics", limit=limit)]

    assert sampled(25) == list(range(25))
    assert sampled(10) == [0, 3, 6, 9, 12, 15, 18, 21, 24]
    assert sampled(2) == [11, 24]
    assert ledger.events.sample(run_id, "job.retrying") == []
