"""Deployments and gates over the API, a page at a time."""

from __future__ import annotations

import pytest

from integration.web.calling import REPOSITORIES, Api
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.gate_records import Answer, Gate, NewDeployment
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import JobUpdate, NewJob


def begun(ledger: Ledger, *keys: str, repository: str = "digits", sha: str = "a" * 40) -> str:
    jobs = tuple(NewJob(key=key, name=key) for key in keys)
    run_id = ledger.runs.create(new_run(repository=REPOSITORIES[repository], sha=sha, jobs=jobs), at=1.0)
    assert run_id is not None
    return run_id


def deploy(ledger: Ledger, *, environment: str = "production", **where: str) -> str:
    run_id = begun(ledger, "deploy", **where)
    new = NewDeployment(job_key="deploy", environment=environment, state="queued", actor="ada")
    ledger.deployments.begin(ledger.runs.get(run_id), new, at=1.0)
    return run_id


def wait_at_gate(ledger: Ledger, run_id: str, *keys: str) -> None:
    ledger.runs.record(run_id, jobs=[JobUpdate(key=key, state="waiting") for key in keys], at=1.0)
    for key in keys:
        ledger.gates.open(run_id, Gate(job_key=key, opened_at=1, not_before=1, ends_at=9))


def test_deployments_come_newest_first_a_page_at_a_time(ledger: Ledger, api: Api) -> None:
    made = [deploy(ledger) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/deployments?limit=2{cursor}").json
        seen += [one["run"] for one in page["deployments"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == made[::-1]


def test_deployments_are_chosen_by_where_and_what(ledger: Ledger, api: Api) -> None:
    old, new = deploy(ledger), deploy(ledger, sha="b" * 40)
    staging, secret = deploy(ledger, environment="staging"), deploy(ledger, repository="secret")
    for run_id in (old, new):
        ledger.deployments.change(run_id, "deploy", state="success", reason="", at=2.0, approved_by=("bob",))

    def found(query: str, **named: str) -> list[str]:
        return [one["run"] for one in api.get(f"/deployments?{query}", **named).json["deployments"]]

    assert found("environment=staging") == [staging]
    assert found("state=inactive") == [old]
    assert found(f"sha={'b' * 40}") == [new]
    assert found("repository=secret") == [secret]
    assert found("", token=api.make_token("read", repositories=("secret",))) == [secret]
    assert found("repository=digits", token=api.make_token("read", repositories=("secret",))) == []
    (shown,) = api.get("/deployments?state=success").json["deployments"]
    assert (shown["repository"], shown["approved_by"], shown["actor"]) == ("digits", ["bob"], "ada")


def test_gates_that_wait_are_listed_through_all_pages(ledger: Ledger, api: Api) -> None:
    first, second = begun(ledger, "a/b (c)", "d", "done"), begun(ledger, "x", repository="secret")
    wait_at_gate(ledger, first, "d", "a/b (c)", "done")
    wait_at_gate(ledger, second, "x")
    ledger.gates.answer(first, "d", Answer(actor="ada", is_approval=True, via="button", at=2.0))
    ledger.runs.record(first, jobs=[JobUpdate(key="done", state="running")], at=2.0)
    seen, cursor = [], ""
    while True:
        page = api.get(f"/gates?limit=1{cursor}").json
        seen += [(one["run"], one["job"], len(one["gate"]["answers"])) for one in page["gates"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next'].replace(' ', '%20')}"
    assert seen == [(first, "a/b (c)", 0), (first, "d", 1), (second, "x", 0)]
    shown = api.get("/gates", token=api.make_token("read", repositories=("digits",))).json["gates"]
    assert {one["repository"] for one in shown} == {"digits"}


@pytest.mark.parametrize(
    "path",
    ["/deployments?state=gone", "/deployments?cursor=x", "/gates?cursor=x", "/gates?limit=0", "/gates?a=1"],
)
def test_what_cannot_be_read_is_told(api: Api, path: str) -> None:
    assert api.get(path).status == 400


@pytest.mark.parametrize("path", ["/deployments", "/gates"])
def test_it_takes_a_token_that_may_read(api: Api, path: str) -> None:
    assert api.get(path, token="").status == 401
    assert api.get(path, token=api.make_token("run")).status == 403
