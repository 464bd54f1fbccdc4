"""Gates with the answers to them, and deployments, as the ledger keeps them."""

from __future__ import annotations

from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.gate_records import Answer, Gate, NewDeployment
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, RunUpdate

GATE = Gate(job_key="fit", environment="production", approvers=("ada",), opened_at=1, not_before=1, ends_at=9)


def waiting_run(ledger: Ledger, **changes: object) -> str:
    run_id = ledger.runs.create(new_run(**changes), at=1.0)
    assert run_id is not None
    with ledger.transaction():
        ledger.runs.record(run_id, jobs=[JobUpdate(key="fit", state="waiting")], at=1.0)
        ledger.gates.open(run_id, GATE)
    return run_id


def test_a_gate_keeps_what_it_was_opened_with(ledger: Ledger) -> None:
    run_id = waiting_run(ledger)
    ledger.gates.open(run_id, Gate(job_key="fit", approvals=7, opened_at=5, not_before=5, ends_at=6))
    assert ledger.gates.of_run(run_id) == [GATE]
    assert ledger.gates.waiting_runs() == {run_id}


def test_the_last_answer_of_a_person_counts_however_the_name_is_written(ledger: Ledger) -> None:
    run_id = waiting_run(ledger)
    ledger.gates.answer(run_id, "fit", Answer(actor="ada", is_approval=True, at=2.0))
    ledger.gates.answer(run_id, "fit", Answer(actor="bob", is_approval=True, at=3.0))
    ledger.gates.answer(run_id, "fit", Answer(actor="Ada", is_approval=False, comment="no\x00", at=4.0))
    (gate,) = ledger.gates.of_run(run_id)
    assert [(one.actor, one.is_approval, one.comment) for one in gate.answers] == [
        ("bob", True, ""),
        ("Ada", False, "no\ufffd"),
    ]


def test_who_answers_too_late_is_told(ledger: Ledger) -> None:
    run_id = waiting_run(ledger)
    ledger.runs.record(run_id, jobs=[JobUpdate(key="fit", state="running")], at=2.0)
    assert not ledger.gates.answer(run_id, "fit", Answer(actor="ada", is_approval=True, at=3.0))
    assert not ledger.gates.answer(run_id, "prepare", Answer(actor="ada", is_approval=True, at=3.0))
    assert ledger.gates.of_run(run_id) == [GATE]
    assert ledger.gates.waiting_runs() == frozenset()


def deploy(ledger: Ledger, *, sha: str, repository: str = "digits") -> str:
    run_id = ledger.runs.create(new_run(sha=sha, repository=repository), at=1.0)
    assert run_id is not None
    new = NewDeployment(job_key="fit", environment="production", state="queued", actor="ada")
    ledger.deployments.begin(ledger.runs.get(run_id), new, at=1.0)
    return run_id


def test_a_deployment_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    first, second = deploy(ledger, sha="a" * 40), deploy(ledger, sha="b" * 40)
    elsewhere = deploy(ledger, sha="c" * 40, repository="letters")
    for number, run_id in enumerate((first, elsewhere, second)):
        ledger.deployments.change(
            run_id, "fit", state="success", reason="", at=2.0 + number, approved_by=("bob",), report=True
        )
    states = {found.run_id: found.state for found in ledger.deployments.list()}
    assert states == {first: "inactive", second: "success", elsewhere: "success"}
    assert [item.sha for item in ledger.outbox.due(at=9.0)] == ["a" * 40]
    (found,) = ledger.deployments.of_commit("digits", "b" * 40)
    assert (found.approved_by, found.actor, found.changed_at) == (("bob",), "ada", 4.0)


def test_a_deployment_that_fails_leaves_the_one_before_in_its_place(ledger: Ledger) -> None:
    first, second = deploy(ledger, sha="a" * 40), deploy(ledger, sha="b" * 40)
    ledger.deployments.change(first, "fit", state="success", reason="", at=2.0)
    ledger.deployments.change(second, "fit", state="failure", reason="exit code 1", at=3.0, url="https://x.y")
    newest, oldest = ledger.deployments.list(environment="production", repository="digits")
    assert (newest.state, newest.reason, newest.url) == ("failure", "exit code 1", "https://x.y")
    assert oldest.state == "success"
    assert ledger.deployments.list(environment="staging") == []


def test_deployments_outlive_their_runs(ledger: Ledger) -> None:
    run_id = deploy(ledger, sha="a" * 40)
    ledger.runs.record(
        run_id, jobs=[JobUpdate(key=key, state="success") for key in ("prepare", "fit")], at=2.0
    )
    ledger.runs.record(run_id, run=RunUpdate(state="success"), at=2.0)
    assert ledger.removal.remove(run_id, at=3.0)
    assert [found.run_id for found in ledger.deployments.list()] == [run_id]
