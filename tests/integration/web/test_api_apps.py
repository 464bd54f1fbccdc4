"""Apps over the API: how they stand, and what stops them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integration.web import calling
from integration.web.calling import LINKS, REPOSITORIES, Api
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, NewJob
from windlass_runner.run.app import AppAddress
from windlass_runner.web.links import app_url

KEY = "a/b (c)"
APP = AppAddress(host="127.0.0.1", port=1, base="/apps/x/y/", path="/", ends_at=7200.0)


def running(ledger: Ledger) -> str:
    run_id = ledger.runs.create(
        new_run(repository=REPOSITORIES["digits"], jobs=(NewJob(key=KEY, name="x"),)), at=1.0
    )
    assert run_id is not None
    note(ledger, run_id, AttemptUpdate(job_key=KEY, number=1, state="created", at=1.0, detail={"app": None}))
    return run_id


def note(ledger: Ledger, run_id: str, update: AttemptUpdate) -> None:
    ledger.runs.record(run_id, attempts=[update], at=1.0)


def answers() -> AttemptUpdate:
    return AttemptUpdate(job_key=KEY, number=1, state="started", at=1.0, detail={"app": APP.to_json()})


def test_an_app_is_stopped_in_the_name_of_the_token(ledger: Ledger, api: Api) -> None:
    run_id = running(ledger)
    path = f"/runs/{run_id}/jobs/a/b%20(c)/stop"
    refused = api.post(path, token=api.make_token("read"))
    assert (refused.status, "--scope run" in refused.json["remedy"]) == (403, True)
    token = api.make_token("run")
    assert api.post(path, token=token).status == 409  # it does not answer yet
    note(ledger, run_id, answers())
    asked = api.post(path, token=token)
    assert (asked.status, asked.json["id"]) == (202, run_id)
    (request,) = ledger.requests.take()
    assert (request.kind, request.payload["run_id"], request.payload["job"]) == ("stop", run_id, KEY)
    assert request.payload["actor"]
    note(ledger, run_id, AttemptUpdate(job_key=KEY, number=1, state="ended", at=2.0, detail={}))
    gone = api.post(path, token=token)
    assert (gone.status, gone.json["detail"]) == (409, f"no app runs as job '{KEY}' of run {run_id}")


def told(api: Api, run_id: str) -> object:
    (job,) = api.get(f"/runs/{run_id}").json["jobs"]
    return job["app"]


def test_a_run_tells_how_its_app_stands(ledger: Ledger, api: Api) -> None:
    run_id = running(ledger)
    assert told(api, run_id) == {"state": "starting", "url": None, "ends_at": None}
    note(ledger, run_id, answers())
    link = app_url(LINKS, run_id, KEY, since=1.0)
    assert told(api, run_id) == {"state": "open", "url": link, "ends_at": 7200.0}
    note(ledger, run_id, AttemptUpdate(job_key=KEY, number=1, state="ended", at=2.0, detail={}))
    assert told(api, run_id) is None


def test_the_link_of_an_app_is_told_only_where_the_owner_wants_that(
    ledger: Ledger, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "LINKS", replace(LINKS, tells_apps=False))
    run_id = running(ledger)
    note(ledger, run_id, answers())
    assert told(api, run_id) == {"state": "open", "url": None, "ends_at": 7200.0}
