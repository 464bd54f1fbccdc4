"""Gates over the API: who may answer, what is told, and a daemon that goes on by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.daemon.serving import Repository, Serving, wait_until
from integration.web.calling import REPOSITORIES, Api
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.gate_records import Answer, Gate
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, NewJob

APPROVE = """
on: workflow_dispatch
jobs:
  look: {uses: approve@v1, with: {approvals: 2, message: Ship it?}, outputs: {approved-by: {type: string}}}
  ship: {needs: [look], uses: script@v1, with: {script: 'echo ${{ needs.look.outputs.approved-by }}'}}
"""


def waiting(ledger: Ledger, *, key: str = "a/b (c)", approvers: tuple[str, ...] = ()) -> str:
    jobs = (NewJob(key=key, name="x"), NewJob(key="other", name="other"))
    run_id = ledger.runs.create(new_run(repository=REPOSITORIES["digits"], jobs=jobs), at=1.0)
    assert run_id is not None
    ledger.runs.record(run_id, jobs=[JobUpdate(key=key, state="waiting")], at=1.0)
    gate = Gate(
        job_key=key, environment="production", approvers=approvers, opened_at=1, not_before=1, ends_at=9
    )
    ledger.gates.open(run_id, gate)
    return run_id


def test_only_a_token_with_the_scope_answers(ledger: Ledger, api: Api) -> None:
    run_id = waiting(ledger)
    path = f"/runs/{run_id}/jobs/a/b%20(c)/approve"
    for scopes in (("read",), ("read", "run")):
        refused = api.post(path, token=api.make_token(*scopes))  # type: ignore[arg-type]
        assert (refused.status, "--scope approve" in refused.json["remedy"]) == (403, True)
    told = api.post(path, {"comment": "go"}, token=api.make_token("approve"))
    assert told.status == 202
    (request,) = ledger.requests.take()
    assert (
        request.kind,
        request.payload["jobs"],
        request.payload["comment"],
        request.payload["approve"],
    ) == (
        "answer",
        ["a/b (c)"],
        "go",
        True,
    )


def test_the_name_of_the_token_must_be_among_the_approvers(ledger: Ledger, api: Api) -> None:
    run_id = waiting(ledger, key="deploy", approvers=("release-bot",))
    refused = api.post(f"/runs/{run_id}/jobs/deploy/approve", token=api.make_token("approve"))
    assert (refused.status, refused.json["remedy"]) == (422, "ask release-bot")


def test_what_does_not_wait_cannot_be_answered(ledger: Ledger, api: Api) -> None:
    token = api.make_token("approve")
    run_id = waiting(ledger, key="deploy")
    assert api.post(f"/runs/{run_id}/jobs/other/reject", token=token).status == 409
    assert api.post(f"/runs/{run_id}/jobs/nope/reject", token=token).status == 404
    assert api.post(f"/runs/{run_id}/jobs/deploy/reject", {"comment": 3}, token=token).status == 422
    elsewhere = api.make_token("approve", repositories=("secret",))
    assert api.post(f"/runs/{run_id}/jobs/deploy/reject", token=elsewhere).status == 404
    name = ledger.tokens.list()[1].name
    ledger.gates.answer(run_id, "deploy", Answer(actor=name, is_approval=True, at=2.0))
    ledger.runs.record(run_id, jobs=[JobUpdate(key="deploy", state="running")], at=2.0)
    again = api.post(f"/runs/{run_id}/jobs/deploy/approve", token=token)
    assert again.status == 200
    assert again.json["jobs"][0]["gate"]["answers"][0]["actor"] == name
    assert api.post(f"/runs/{run_id}/jobs/deploy/reject", token=token).status == 409


@pytest.fixture
def daemon(serving: Serving, repository: Repository) -> Iterator[Api]:
    repository.commit({".windlass/workflows/w.yaml": APPROVE})
    repository.push()
    serving.start()
    with Ledger.open(serving.folder / "store" / "ledger.db", create=False) as ledger:
        api = Api(address=serving.address, ledger=ledger)
        api.token = api.make_token("read", "run")
        yield api


def test_two_tokens_let_a_job_go_on(daemon: Api) -> None:
    run_id = daemon.post("/runs", {"workflow": "w"}).json["id"]
    wait_until(lambda: daemon.get(f"/runs/{run_id}").json["state"] == "waiting", what="the gate")
    run = daemon.get(f"/runs/{run_id}").json
    assert run["reason"] == "look waits for 2 approvals by somebody who may write: Ship it?"
    gate = run["jobs"][0]["gate"]
    assert (gate["environment"], gate["approvals"], gate["message"]) == (None, 2, "Ship it?")
    for _ in range(2):
        told = daemon.post(f"/runs/{run_id}/jobs/look/approve", token=daemon.make_token("approve"))
        assert told.status == 200, told
    wait_until(lambda: daemon.get(f"/runs/{run_id}").json["state"] == "success", what="the end")
    (look, _ship) = daemon.get(f"/runs/{run_id}").json["jobs"]
    assert look["outputs"]["approved-by"]["text"] == "t1, t2"


def test_a_token_turns_a_job_away(daemon: Api) -> None:
    run_id = daemon.post("/runs", {"workflow": "w"}).json["id"]
    wait_until(lambda: daemon.get(f"/runs/{run_id}").json["state"] == "waiting", what="the gate")
    token = daemon.make_token("admin")
    assert daemon.post(f"/runs/{run_id}/jobs/look/reject", {"comment": "no"}, token=token).status == 200
    wait_until(lambda: daemon.get(f"/runs/{run_id}").json["state"] == "failure", what="the end")
    assert daemon.get(f"/runs/{run_id}").json["jobs"][0]["reason"] == "rejected by t1: no"
