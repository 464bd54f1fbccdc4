"""The API of a daemon that runs: what is started, followed, stopped and run again by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration.daemon.serving import Repository, Serving, wait_until
from integration.web.calling import Api, next_event, stream
from windlass_runner.daemon.rerun import plan_rerun
from windlass_runner.ledger.ledger import Ledger

GREET = """
on: workflow_dispatch
inputs: {word: {default: hello}, times: {type: number, default: 1}}
jobs:
  greet:
    uses: script@v1
    with:
      script: |
        for i in $(seq ${{ inputs.times }}); do echo "${{ inputs.word }} $i"; done
        printf done > /outputs/said
        echo '{"name": "loss", "value": 0.25}' >> "$WINDLASS_METRICS"
    outputs: {said: {type: string}}
  fail: {needs: [greet], uses: script@v1, with: {script: 'exit 3'}}
"""
HOLD = "on: workflow_dispatch\njobs: {hold: {uses: script@v1, with: {script: 'echo begin; sleep 300'}}}\n"


@pytest.fixture
def api(serving: Serving, repository: Repository) -> Iterator[Api]:
    """The API of a daemon that watches two workflows which start by hand alone."""
    repository.commit({".windlass/workflows/greet.yaml": GREET, ".windlass/workflows/hold.yaml": HOLD})
    repository.push()
    serving.start()
    with Ledger.open(serving.folder / "store" / "ledger.db", create=False) as ledger:
        api = Api(address=serving.address, ledger=ledger)
        api.token = api.make_token("read", "run")
        yield api


def start(api: Api, workflow: str, **more: Any) -> str:
    answer = api.post("/runs", {"workflow": workflow, **more})
    assert answer.status == 201, answer
    assert answer.headers["Location"] == f"/api/v1/runs/{answer.json['id']}"
    return str(answer.json["id"])


def follow(api: Api, run_id: str) -> list[str]:
    """The kinds of a run's events until it has ended."""
    kinds: list[str] = []
    cursor, is_final = 0, False
    while not is_final:
        page = api.get(f"/runs/{run_id}/events?after={cursor}&wait_s=20").json
        kinds += [event["kind"] for event in page["events"]]
        cursor, is_final = page["next"], page["is_final"]
    return kinds


def wait_for_line(api: Api, run_id: str, job: str) -> None:
    wait_until(lambda: api.get(f"/runs/{run_id}/jobs/{job}/logs").json.get("lines"), what="a line")


def test_a_run_is_started_followed_and_read(api: Api) -> None:
    run_id = start(api, "greet", ref="main", inputs={"word": "hi", "times": 2})
    kinds = follow(api, run_id)
    assert kinds[0] == "run.created"
    assert kinds[-1] == "run.ended"
    run = api.get(f"/runs/{run_id}").json
    assert (run["state"], run["repository"], run["ref"]) == ("failure", "digits", "refs/heads/main")
    greet, fail = run["jobs"]
    assert (greet["state"], fail["state"], fail["exit_code"]) == ("success", "failure", 3)
    assert greet["outputs"]["said"]["text"] == "done"
    assert greet["metrics"]["loss"]["last"] == 0.25
    lines = api.get(f"/runs/{run_id}/jobs/greet/logs").json["lines"]
    assert [line["text"] for line in lines] == ["hi 1", "hi 2"]
    assert api.get("/runs?state=failure").json["runs"][0]["id"] == run_id


def test_a_run_is_stopped_with_the_reason(api: Api) -> None:
    run_id = start(api, "hold")
    wait_for_line(api, run_id, "hold")
    assert api.post(f"/runs/{run_id}/cancel", {"reason": "enough"}).status == 202
    assert follow(api, run_id)[-1] == "run.ended"
    run = api.get(f"/runs/{run_id}").json
    assert (run["state"], run["reason"]) == ("cancelled", "enough")


def test_what_failed_is_run_again(api: Api) -> None:
    run_id = start(api, "greet")
    follow(api, run_id)
    answer = api.post(f"/runs/{run_id}/rerun", {"failed": True})
    assert answer.status == 201
    again = answer.json["id"]
    follow(api, again)
    run = api.get(f"/runs/{again}").json
    assert run["rerun_of"] == run_id
    greet, fail = run["jobs"]
    assert greet["reason"] == "taken over from the run before"
    assert (greet["state"], fail["state"]) == ("success", "failure")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"workflow": "great"}, "did you mean 'greet'?"),
        ({"workflow": "greet", "ref": "mian"}, "did you mean 'main'?"),
        ({"workflow": "greet", "inputs": {"wrod": "x"}}, "did you mean 'word'?"),
    ],
)
def test_what_the_daemon_cannot_start_is_refused_with_a_remedy(api: Api, body: Any, said: str) -> None:
    answer = api.post("/runs", body)
    assert answer.status == 422
    assert said in answer.json["detail"]
    assert api.get("/runs").json["runs"] == []


def test_a_start_that_is_repeated_after_a_kill_is_the_same_run(api: Api, serving: Serving) -> None:
    named = {"headers": {"Idempotency-Key": "once"}}
    first = api.post("/runs", {"workflow": "hold"}, **named).json["id"]
    serving.kill()
    serving.start()
    api.address = serving.address
    again = api.post("/runs", {"workflow": "hold"}, **named)
    assert again.status == 201
    assert again.json["id"] == first
    assert len(api.get("/runs").json["runs"]) == 1
    api.post(f"/runs/{first}/cancel")
    follow(api, first)


def test_a_start_that_was_written_down_but_not_answered_is_answered_with_its_run(
    api: Api, serving: Serving
) -> None:
    """A daemon that is killed between the run and its answer finds both again."""
    run_id = start(api, "greet")
    follow(api, run_id)
    serving.kill()
    assert api.ledger is not None
    runs = api.ledger.runs
    again = plan_rerun(
        runs.get(run_id),
        plan=runs.plan(run_id),
        event=runs.event(run_id),
        jobs=runs.jobs(run_id),
        failed_only=False,
        at=1.0,
    )
    with api.ledger.transaction():
        payload = {"workflow": "greet", "token": api.token.split("_")[1]}
        request = api.ledger.requests.put("start", payload, at=1.0)
        written = runs.create(again.run, at=2.0, key=f"request\n{request}")
    serving.start()
    api.address = serving.address
    wait_until(lambda: api.get(f"/requests/{request}").status == 201, what="the answer")
    assert api.get(f"/requests/{request}").json["id"] == written


def test_who_follows_does_not_keep_a_daemon_from_stopping(api: Api, serving: Serving) -> None:
    run_id = start(api, "hold")
    wait_for_line(api, run_id, "hold")
    with stream(api, run_id) as response:
        assert next_event(response)["event"] == "run.created"
        assert serving.stop() == 0
        response.read()
    assert [entry for entry in serving.log() if entry["level"] == "error"] == []
    serving.start()
    api.address = serving.address
    api.post(f"/runs/{run_id}/cancel")
    follow(api, run_id)
