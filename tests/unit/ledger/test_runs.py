from __future__ import annotations

import math

import pytest

from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.errors import UnknownJob, UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import (
    AttemptUpdate,
    EventDraft,
    JobUpdate,
    NewJob,
    RunUpdate,
)


def create(ledger: Ledger, *, at: float = 1.0, **changes: object) -> str:
    run_id = ledger.runs.create(new_run(**changes), at=at)
    assert run_id is not None
    return run_id


def test_a_created_run_is_queued_with_its_jobs_and_an_event(ledger: Ledger) -> None:
    run_id = create(ledger, at=12.5, group="deploy", priority=3, snapshot="s", rerun_of="before")
    run = ledger.runs.get(run_id)
    assert (run.state, run.number, run.created_at, run.reason) == ("queued", 1, 12.5, "")
    assert (run.group, run.priority, run.snapshot, run.rerun_of) == ("deploy", 3, "s", "before")
    assert (run.started_at, run.ended_at, run.is_cancel_requested) == (None, None, False)
    assert ledger.runs.plan(run_id) == '{"jobs": []}'
    assert ledger.runs.event(run_id) == '{"kind": "push"}'
    prepare, fit = ledger.runs.jobs(run_id)
    assert (prepare.key, prepare.state, prepare.attempt, prepare.outputs) == ("prepare", "queued", 0, {})
    assert (fit.needs, fit.planned, fit.annotations) == (("prepare",), '{"key": "fit"}', [])
    (event,) = ledger.events.after(0)
    assert (event.run_id, event.kind, event.at) == (run_id, "run.created", 12.5)


def test_a_key_makes_one_run_only(ledger: Ledger) -> None:
    first = ledger.runs.create(new_run(), at=1, key="digits main aaaa train 0")
    again = ledger.runs.create(new_run(), at=2, key="digits main aaaa train 0")
    other = ledger.runs.create(new_run(), at=3, key="digits main aaaa train 1")
    assert first
    assert again is None
    assert other
    assert [run.id for run in ledger.runs.list()] == [other, first]
    assert len(ledger.events.after(0)) == 2
    assert ledger.runs.get(other).number == 2


def test_numbers_count_per_repository_and_workflow(ledger: Ledger) -> None:
    ids = [create(ledger), create(ledger), create(ledger, workflow="lint"), create(ledger, repository="b")]
    assert [ledger.runs.get(run_id).number for run_id in ids] == [1, 2, 1, 1]


def test_ids_are_short_and_sort_in_the_order_of_creation_though_the_clock_goes_back(ledger: Ledger) -> None:
    times = [1_800_000_000.0, 1_800_000_000.0, 1_700_000_000.0, 1_900_000_000.5]
    ids = [create(ledger, at=at) for at in times]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(len(run_id) == 13 and run_id.isalnum() and run_id == run_id.lower() for run_id in ids)


def test_what_is_recorded_is_there_and_what_was_not_named_is_unchanged(ledger: Ledger) -> None:
    run_id = create(ledger)
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="running", started_at=2.0),
        jobs=[
            JobUpdate(key="prepare", state="running", attempt=1, started_at=2.0),
            JobUpdate(key="fit", reason="waits for prepare"),
        ],
        at=2.0,
    )
    ledger.runs.record(
        run_id,
        run=RunUpdate(reason="hm"),
        jobs=[
            JobUpdate(
                key="prepare",
                state="failure",
                outputs={"n": "1"},
                metrics={"loss": math.nan, "accuracy": 0.5},
                summary="# done",
                annotations=[{"line": 3}],
                ended_at=3.0,
                exit_code=0,
            )
        ],
        at=3.0,
    )
    run = ledger.runs.get(run_id)
    assert (run.state, run.reason, run.started_at, run.ended_at) == ("running", "hm", 2.0, None)
    prepare, fit = ledger.runs.jobs(run_id)
    assert (prepare.state, prepare.attempt, prepare.started_at, prepare.ended_at) == ("failure", 1, 2.0, 3.0)
    assert (prepare.outputs, prepare.summary, prepare.annotations) == ({"n": "1"}, "# done", [{"line": 3}])
    assert math.isnan(prepare.metrics["loss"])
    assert prepare.exit_code == 0
    assert (fit.state, fit.reason) == ("queued", "waits for prepare")


def test_attempts_are_kept_by_number_and_never_go_back(ledger: Ledger) -> None:
    run_id = create(ledger)

    def say(state: str, at: float, **more: object) -> None:
        attempt = AttemptUpdate(job_key="fit", number=1, state=state, at=at, **more)
        ledger.runs.record(run_id, attempts=[attempt], at=at)

    say("created", 1.0, lane="l1", container="c1", host="local", detail={"log": 0})
    say("started", 2.0)
    say("created", 2.5)
    (attempt,) = ledger.runs.attempts(run_id)
    assert (attempt.state, attempt.lane, attempt.container, attempt.host) == ("started", "l1", "c1", "local")
    assert (attempt.created_at, attempt.started_at, attempt.ended_at) == (1.0, 2.0, None)
    say("ended", 3.0, exit_code=137, cause="oom", detail={"log": 9})
    say("ended", 4.0)
    say("started", 5.0)
    second = AttemptUpdate(job_key="fit", number=2, state="created", at=6.0)
    ledger.runs.record(run_id, attempts=[second], at=6.0)
    first, again = ledger.runs.attempts(run_id)
    assert (first.state, first.ended_at, first.exit_code, first.cause) == ("ended", 3.0, 137, "oom")
    assert (first.started_at, first.detail) == (2.0, {"log": 9})
    assert (again.number, again.state, again.container, again.detail) == (2, "created", "", {})


def test_jobs_are_added_while_a_run_runs(ledger: Ledger) -> None:
    run_id = create(ledger)
    added = [NewJob(key=f"fit-{n}", name=f"Fit {n}", planned="{}") for n in range(2)]
    ledger.runs.record(run_id, add_jobs=added, jobs=[JobUpdate(key="fit-1", state="running")], at=2.0)
    assert [job.key for job in ledger.runs.jobs(run_id)] == ["prepare", "fit", "fit-0", "fit-1"]
    assert ledger.runs.jobs(run_id)[3].state == "running"


def test_ten_thousand_jobs_change_in_one_record(ledger: Ledger) -> None:
    keys = [f"job-{n}" for n in range(10_000)]
    run_id = create(ledger, jobs=tuple(NewJob(key=key, name=key) for key in keys))
    ledger.runs.record(run_id, jobs=[JobUpdate(key=key, state="skipped") for key in keys], at=2.0)
    stored = ledger.runs.jobs(run_id)
    assert [job.key for job in stored] == keys
    assert {job.state for job in stored} == {"skipped"}


@pytest.mark.parametrize(
    "broken",
    [
        {"jobs": [JobUpdate(key="prepare", state="running"), JobUpdate(key="nobody", state="running")]},
        {"attempts": [AttemptUpdate(job_key="nobody", number=1, state="created", at=2.0)]},
        {"add_jobs": [NewJob(key="prepare", name="twice")]},
    ],
)
def test_a_record_about_an_unknown_job_changes_nothing(ledger: Ledger, broken: dict[str, object]) -> None:
    run_id = create(ledger)
    with pytest.raises(UnknownJob):
        ledger.runs.record(
            run_id,
            run=RunUpdate(state="running"),
            events=[EventDraft(kind="run.started")],
            at=2.0,
            report=True,
            **broken,
        )
    assert ledger.runs.get(run_id).state == "queued"
    assert ledger.runs.jobs(run_id)[0].state == "queued"
    assert [event.kind for event in ledger.events.after(0)] == ["run.created"]
    assert ledger.outbox.due(at=9.0) == []


@pytest.mark.parametrize(
    "change",
    [
        {"run": RunUpdate(state="running")},
        {"events": [EventDraft(kind="x")]},
        {"add_jobs": [NewJob(key="a", name="a")]},
        {"report": True},
    ],
)
def test_a_record_about_an_unknown_run_is_an_error_that_says_so(
    ledger: Ledger, change: dict[str, object]
) -> None:
    with pytest.raises(UnknownRun) as caught:
        ledger.runs.record("0000000000000", at=1.0, **change)
    assert caught.value.run_id == "0000000000000"
    assert "windlass runs" in str(caught.value)
    assert ledger.events.last() == 0


def test_a_report_marks_the_commit_in_the_same_transaction(ledger: Ledger) -> None:
    run_id = create(ledger)
    ledger.runs.record(run_id, run=RunUpdate(state="running"), at=2.0, report=True)
    ledger.runs.record(run_id, run=RunUpdate(state="success"), at=3.0, report=True)
    (item,) = ledger.outbox.due(at=3.0)
    assert (item.repository, item.sha, item.version) == ("digits", "a" * 40, 2)


def test_a_run_created_with_a_report_is_due_at_once(ledger: Ledger) -> None:
    ledger.runs.create(new_run(), at=2.0, report=True)
    assert [item.sha for item in ledger.outbox.due(at=2.0)] == ["a" * 40]


def test_texts_that_no_database_can_hold_are_kept_as_far_as_they_can(ledger: Ledger) -> None:
    run_id = create(ledger, name="a\x00b\ud800")
    change = JobUpdate(key="fit", summary="nul\x00", reason="half \udfff", outputs={"raw": "\x00\ud800"})
    ledger.runs.record(run_id, jobs=[change], at=2.0)
    assert ledger.runs.get(run_id).name == "a\ufffdb?"
    fit = ledger.runs.jobs(run_id)[1]
    assert (fit.summary, fit.reason) == ("nul\ufffd", "half ?")
    assert fit.outputs == {"raw": "\x00\ud800"}


def test_a_run_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    run_id = create(ledger, at=1_000_000_000.0)
    later = create(ledger, at=1_900_000_000.0)
    assert ledger.runs.find(run_id).id == run_id
    assert ledger.runs.find(later[:5]).id == later
    create(ledger, at=1_900_000_001.0)
    with pytest.raises(UnknownRun, match="more than one"):
        ledger.runs.find(later[:4])
    for wrong in ("", "zzz", "%", "U!", "x" * 40):
        with pytest.raises(UnknownRun):
            ledger.runs.find(wrong)


def test_what_is_unknown_is_an_error_everywhere(ledger: Ledger) -> None:
    for ask in (ledger.runs.get, ledger.runs.plan, ledger.runs.event):
        with pytest.raises(UnknownRun):
            ask("nope")
    assert ledger.runs.jobs("nope") == []
    assert ledger.runs.attempts("nope") == []


def test_lists_are_newest_first_filtered_and_paged(ledger: Ledger) -> None:
    ids = [create(ledger, at=float(n), workflow=("train", "lint")[n % 2]) for n in range(6)]
    ledger.runs.record(ids[3], run=RunUpdate(state="success"), at=9.0)
    create(ledger, repository="other", at=7.0)

    def listed(**wanted: object) -> list[int]:
        return [ids.index(run.id) for run in ledger.runs.list(repository="digits", **wanted)]

    assert listed() == [5, 4, 3, 2, 1, 0]
    assert listed(limit=2) == [5, 4]
    assert listed(limit=2, before=ids[4]) == [3, 2]
    assert listed(workflow="lint") == [5, 3, 1]
    assert listed(state="success") == [3]
    assert listed(workflow="lint", state="queued", before=ids[5]) == [1]
    assert len(ledger.runs.list()) == 7


def test_unfinished_runs_come_oldest_first(ledger: Ledger) -> None:
    ids = [create(ledger, at=float(n)) for n in range(4)]
    for run_id, state in zip(ids, ("success", "running", "waiting", "queued"), strict=True):
        ledger.runs.record(run_id, run=RunUpdate(state=state), at=9.0)
    assert [run.id for run in ledger.runs.unfinished()] == ids[1:]


def test_the_runs_of_a_commit_come_newest_first(ledger: Ledger) -> None:
    ids = [create(ledger, at=float(n), workflow=("train", "lint")[n % 2]) for n in range(3)]
    create(ledger, sha="b" * 40)
    assert [run.id for run in ledger.runs.of_commit("digits", "a" * 40)] == ids[::-1]


def test_events_are_read_on_from_a_cursor(ledger: Ledger) -> None:
    first, second = create(ledger), create(ledger)
    drafts = [EventDraft(kind=f"k{n}", job_key="fit", data={"n": n}) for n in range(5)]
    ledger.runs.record(first, events=drafts, at=2.0)
    ledger.runs.record(second, events=[EventDraft(kind="other")], at=3.0)
    page = ledger.events.after(0, run_id=first, limit=3)
    rest = ledger.events.after(page[-1].id, run_id=first)
    assert [event.kind for event in page + rest] == ["run.created", "k0", "k1", "k2", "k3", "k4"]
    assert rest[-1].data == {"n": 4}
    assert (rest[-1].job_key, rest[-1].at) == ("fit", 2.0)
    everything = [event.id for event in ledger.events.after(0)]
    assert everything == sorted(everything)
    assert ledger.events.last() == everything[-1]
    assert ledger.events.after(ledger.events.last()) == []


def test_a_wanted_id_is_taken_where_it_is_greater_than_all_before(ledger: Ledger) -> None:
    wanted = "1" + "0" * 12
    assert ledger.runs.create(new_run(), at=1.0, wanted_id=wanted) == wanted
    later = ledger.runs.create(new_run(), at=2.0, wanted_id=wanted)
    assert later is not None
    assert later > wanted
