"""The API over real HTTP, beside a ledger: who may what, what is told, and what is refused how.

Every answer of every test is held against the OpenAPI document, by `calling.Api`.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest

from integration.daemon.serving import wait_until
from integration.web.calling import DOCUMENT, REPOSITORIES, Answer, Api, next_event, serving_api, stream
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate, NewJob, RunUpdate
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.storage import Storage
from windlass_runner.web.api_access import CALLS_PER_S, MOST_AT_ONCE

DIGITS, SECRET = REPOSITORIES.values()


def create(ledger: Ledger, **changes: Any) -> str:
    run_id = ledger.runs.create(new_run(**{"repository": DIGITS, **changes}), at=1.0)
    assert run_id is not None
    return run_id


def end(ledger: Ledger, run_id: str) -> None:
    ended = EventDraft(kind="run.ended", data={"state": "success"})
    update = RunUpdate(state="success", ended_at=3.0)
    ledger.runs.record(run_id, run=update, events=[ended], at=3.0)


def write_log(storage: Storage, run_id: str, job: str, attempt: int, *texts: str) -> None:
    writer = LogWriter(storage.log(run_id, job, attempt), clock=lambda: 2.0)
    writer.write([("", None, f"{job}/1", "", text) for text in texts])
    writer.close()


def detail(answer: Answer) -> str:
    return f"{answer.json['detail']}; {answer.json.get('remedy', '')}"


def test_without_a_token_the_answer_says_how_to_make_one(api: Api) -> None:
    answer = api.get("/runs", token="")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="windlass"'
    assert "windlass tokens create NAME --scope read" in detail(answer)


def test_a_ledger_without_any_token_lets_nobody_in(ledger: Ledger, api: Api) -> None:
    for token in ledger.tokens.list():
        ledger.tokens.revoke(token.id)
    assert api.get("/runs", token="").status == 401
    assert api.get("/runs").status == 401


@pytest.mark.parametrize("shown", ["wl_abc_def", "x", "wl_", "", "\xff"])
def test_a_token_of_somebody_else_is_refused(api: Api, shown: str) -> None:
    answer = api.get("/runs", headers={"Authorization": f"Bearer {shown}"})
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_right_id_with_a_wrong_secret_is_refused(api: Api) -> None:
    assert api.get("/runs", token=api.token[:-1] + ("A" if api.token[-1] != "A" else "B")).status == 401
    assert api.get("/runs", headers={"Authorization": f"Basic {api.token}"}).status == 401
    assert api.get("/runs", headers={"Authorization": f"bearer {api.token}"}).status == 200


def test_a_token_that_has_expired_is_told_so(api: Api) -> None:
    answer = api.get("/runs", token=api.make_token("read", lifetime_s=0.0))
    assert answer.status == 401
    assert "has expired" in detail(answer)


def test_a_revoked_token_is_refused_from_then_on(ledger: Ledger, api: Api) -> None:
    text = api.make_token("read")
    assert api.get("/runs", token=text).status == 200
    ledger.tokens.revoke(text.split("_")[1])
    assert api.get("/runs", token=text).status == 401


def test_the_missing_scope_is_named(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    reader, starter = api.make_token("read"), api.make_token("run")
    for refused, scope in (
        (api.post(f"/runs/{run_id}/cancel", token=reader), "run"),
        (api.post("/runs", {"workflow": "train"}, token=reader), "run"),
        (api.get(f"/runs/{run_id}", token=starter), "read"),
    ):
        assert refused.status == 403
        assert f"lacks the scope '{scope}'" in detail(refused)
        assert f'error="insufficient_scope", scope="{scope}"' in refused.headers["WWW-Authenticate"]
    assert not ledger.runs.get(run_id).is_cancel_requested
    assert api.get(f"/runs/{run_id}", token=reader).status == 200


def test_the_last_use_of_a_token_is_known(ledger: Ledger, api: Api) -> None:
    text = api.make_token("read")
    before = time.time()
    api.get("/runs", token=text)
    token = ledger.tokens.get(text.split("_")[1])
    assert token is not None
    assert token.last_used_at is not None
    assert token.last_used_at >= before - 1


def test_for_a_limited_token_other_repositories_do_not_exist(
    ledger: Ledger, storage: Storage, api: Api
) -> None:
    own, other = create(ledger), create(ledger, repository=SECRET)
    write_log(storage, other, "prepare", 1, "hidden")
    token = api.make_token("read", "run", repositories=("digits",))
    listed = api.get("/runs", token=token).json["runs"]
    assert [run["id"] for run in listed] == [own]
    assert api.get("/runs?repository=secret", token=token).json["runs"] == []
    assert api.get("/repositories", token=token).json["repositories"] == [{"name": "digits", "url": DIGITS}]
    assert api.get(f"/runs/{own}", token=token).status == 200
    unknown = api.get("/runs/zzz", token=token)
    for path in ("", "/events", "/jobs/prepare/logs"):
        hidden = api.get(f"/runs/{other}{path}", token=token)
        assert hidden.status == 404
        assert hidden.json["detail"].replace(other, "zzz") == unknown.json["detail"]
    for path in ("cancel", "rerun"):
        assert api.post(f"/runs/{other}/{path}", token=token).status == 404
    assert not ledger.runs.get(other).is_cancel_requested
    refused = api.post("/runs", {"workflow": "train", "repository": "secret"}, token=token)
    assert refused.status == 422
    assert "known here: digits" in detail(refused)


def test_no_password_of_a_repository_is_told(ledger: Ledger, api: Api) -> None:
    watched, gone = create(ledger, repository=SECRET), create(ledger, repository="https://b:hush@x.org/r.git")
    texts = [api.get(path).body for path in ("/repositories", "/runs", f"/runs/{watched}", f"/runs/{gone}")]
    assert not any(b"pass" in text or b"hush" in text for text in texts)
    assert api.get(f"/runs/{watched}").json["repository"] == "secret"
    assert api.get(f"/runs/{gone}").json["repository"] == "https://x.org/r.git"


def test_a_token_that_calls_too_often_is_told_when_to_come_again(ledger: Ledger, storage: Storage) -> None:
    now = 100.0
    with serving_api(ledger, storage, clock=lambda: now) as api:
        other = api.make_token("read")
        statuses = [api.get("/repositories").status for _ in range(MOST_AT_ONCE + 1)]
        assert statuses == [200] * MOST_AT_ONCE + [429]
        refused = api.get("/repositories")
        assert refused.headers["Retry-After"] == "1"
        assert api.get("/repositories", token=other).status == 200
        now += 2.0
        statuses = [api.get("/repositories").status for _ in range(round(2 * CALLS_PER_S) + 1)]
        assert statuses == [200] * (len(statuses) - 1) + [429]


def test_pages_of_runs_hold_each_run_once(ledger: Ledger, api: Api) -> None:
    made = [create(ledger) for _ in range(7)]
    seen: list[str] = []
    page = api.get("/runs?limit=3").json
    while True:
        seen += [run["id"] for run in page["runs"]]
        create(ledger)  # what comes meanwhile shifts nothing
        if page["next"] is None:
            break
        page = api.get(f"/runs?limit=3&cursor={page['next']}").json
    assert seen == made[::-1]


def test_runs_are_found_by_what_they_are(ledger: Ledger, api: Api) -> None:
    plain = create(ledger)
    found = {
        "repository=secret": create(ledger, repository=SECRET),
        "workflow=other": create(ledger, workflow="other"),
        f"sha={'b' * 40}": create(ledger, sha="b" * 40),
        "ref=refs/tags/v1": create(ledger, ref="refs/tags/v1"),
        "state=success": create(ledger),
    }
    end(ledger, found["state=success"])
    for query, run_id in found.items():
        assert [run["id"] for run in api.get(f"/runs?{query}").json["runs"]] == [run_id], query
    assert plain in [run["id"] for run in api.get(f"/runs?repository={quote(DIGITS)}").json["runs"]]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/runs?stat=success", "did you mean 'state'?"),
        ("/runs?state=done", "not one of queued"),
        ("/runs?limit=0", "from 1 to 200"),
        ("/runs?limit=201", "from 1 to 200"),
        ("/runs?limit=1e2", "from 1 to 200"),
        ("/repositories?limit=1", "there is no query parameter 'limit' here"),
    ],
)
def test_a_query_that_cannot_be_read_is_told(api: Api, path: str, said: str) -> None:
    answer = api.get(path)
    assert answer.status == 400
    assert said in detail(answer)


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        f"after={10**30}",
        "wait_s=31",
        "wait_s=-1",
        "wait_s=nan",
        "wait_s=x",
        "limit=501",
    ],
)
def test_a_cursor_of_events_that_cannot_be_is_told(ledger: Ledger, api: Api, query: str) -> None:
    assert api.get(f"/runs/{create(ledger)}/events?{query}").status == 400


def test_events_are_read_by_cursor_none_twice_and_none_lost(ledger: Ledger, api: Api) -> None:
    run_id, other = create(ledger), create(ledger)
    for number in range(5):
        for each in (run_id, other):
            draft = EventDraft(kind="job.waiting", job_key="fit", data={"reason": str(number)})
            ledger.runs.record(each, events=[draft], at=2.0)
    end(ledger, run_id)
    seen, cursor, is_final = [], 0, False
    while not is_final:
        page = api.get(f"/runs/{run_id}/events?limit=2&after={cursor}").json
        seen += [(event["kind"], event["data"].get("reason")) for event in page["events"]]
        cursor, is_final = page["next"], page["is_final"]
    waiting = [("job.waiting", str(number)) for number in range(5)]
    assert seen == [("run.created", None), *waiting, ("run.ended", None)]


def test_a_long_poll_ends_with_the_news(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    cursor = api.get(f"/runs/{run_id}/events").json["next"]
    answers: list[Answer] = []
    thread = threading.Thread(
        target=lambda: answers.append(api.get(f"/runs/{run_id}/events?after={cursor}&wait_s=30"))
    )
    thread.start()
    create(ledger)  # news of another run are none
    ledger.runs.record(run_id, events=[EventDraft(kind="run.started")], at=2.0)
    thread.join()
    assert [event["kind"] for event in answers[0].json["events"]] == ["run.started"]


def test_a_long_poll_without_news_ends_with_nothing(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    cursor = api.get(f"/runs/{run_id}/events").json["next"]
    page = api.get(f"/runs/{run_id}/events?after={cursor}&wait_s=0.1").json
    assert page == {"events": [], "next": cursor, "is_final": False}


def test_a_stream_tells_events_as_they_happen_and_ends_with_the_run(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    with stream(api, run_id) as response:
        assert response.headers.get_content_type() == "text/event-stream"
        assert next_event(response)["event"] == "run.created"
        ledger.runs.record(run_id, events=[EventDraft(kind="run.started")], at=2.0)
        started = next_event(response)
        assert started["event"] == "run.started"
        assert json.loads(started["data"])["id"] == int(started["id"])
        end(ledger, run_id)
        assert next_event(response)["event"] == "run.ended"
        assert b"id:" not in response.read()


def test_a_stream_goes_on_behind_the_last_event_that_was_seen(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    with stream(api, run_id) as response:
        last = next_event(response)["id"]
    end(ledger, run_id)
    with stream(api, run_id, {"Last-Event-ID": last}) as response:
        ended = next_event(response)
        assert ended["event"] == "run.ended"
    with stream(api, run_id, {"Last-Event-ID": ended["id"]}) as response:
        assert response.status == 204  # which keeps browsers from coming again
    assert (
        api.get(
            f"/runs/{run_id}/events", headers={"Accept": "text/event-stream", "Last-Event-ID": "x"}
        ).status
        == 400
    )


def test_many_follow_and_others_are_still_answered(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(stream(api, run_id)) for _ in range(60)]  # more than there are threads
        assert {next_event(response)["event"] for response in streams} == {"run.created"}
        assert api.get(f"/runs/{run_id}").status == 200
        end(ledger, run_id)
        assert {next_event(response)["event"] for response in streams} == {"run.ended"}


def test_lines_are_read_by_cursor_through_all_attempts(ledger: Ledger, storage: Storage, api: Api) -> None:
    run_id = create(ledger)
    write_log(storage, run_id, "fit", 1, "one", "two")
    write_log(storage, run_id, "fit", 2, "three")
    ledger.runs.record(run_id, jobs=[JobUpdate(key="fit", state="running", attempt=2)], at=2.0)
    seen: list[tuple[int, str]] = []
    cursor = ""

    def read() -> dict[str, Any]:
        nonlocal cursor
        page: dict[str, Any] = api.get(f"/runs/{run_id}/jobs/fit/logs{cursor}").json
        seen.extend((line["attempt"], line["text"]) for line in page["lines"])
        cursor = f"?cursor={page['next']}"
        return page

    while read()["lines"]:
        pass
    assert seen == [(1, "one"), (1, "two"), (2, "three")]
    assert not read()["is_final"]
    write_log(storage, run_id, "fit", 2, "four")
    ledger.runs.record(run_id, jobs=[JobUpdate(key="fit", state="success")], at=2.0)
    assert not read()["is_final"]
    assert read()["is_final"]
    assert [text for _, text in seen] == ["one", "two", "three", "four"]


def test_a_log_is_text_for_those_who_want_that(ledger: Ledger, storage: Storage, api: Api) -> None:
    run_id = create(ledger)
    texts = [f"line {number} ✓" for number in range(60_000)]
    write_log(storage, run_id, "fit", 1, *texts)
    ledger.runs.record(run_id, jobs=[JobUpdate(key="fit", state="success", attempt=1)], at=2.0)
    answer = api.get(f"/runs/{run_id}/jobs/fit/logs", headers={"Accept": "text/plain"})
    assert answer.body.decode().splitlines() == texts


def test_a_job_may_have_any_key(ledger: Ledger, storage: Storage, api: Api) -> None:
    key = "fit (a/b, 50%)/logs"
    run_id = create(ledger, jobs=(NewJob(key=key, name=key),))
    write_log(storage, run_id, key, 1, "hello")
    ledger.runs.record(run_id, jobs=[JobUpdate(key=key, state="running", attempt=1)], at=2.0)
    page = api.get(f"/runs/{run_id}/jobs/{quote(key)}/logs").json
    assert [line["text"] for line in page["lines"]] == ["hello"]


@pytest.mark.parametrize("cursor", ["x", "1", "-1", "0-0", "1-x", "1--1", f"1-{10**30}", "²-0"])
def test_a_cursor_of_lines_that_cannot_be_is_told(ledger: Ledger, api: Api, cursor: str) -> None:
    assert api.get(f"/runs/{create(ledger)}/jobs/fit/logs?cursor={quote(cursor)}").status == 400


def test_an_unknown_job_is_told_with_those_that_there_are(ledger: Ledger, api: Api) -> None:
    answer = api.get(f"/runs/{create(ledger)}/jobs/fti/logs")
    assert answer.status == 404
    assert "did you mean 'fit'?" in detail(answer)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 422, "not a JSON object"),
        ({}, 422, "the workflow is not named"),
        ({"workflow": 3}, 422, "'workflow' is not a text"),
        ({"workflow": "train", "inputz": {}}, 422, "did you mean 'inputs'?"),
        ({"workflow": "train"}, 422, "name one: digits, secret"),
        ({"workflow": "train", "repository": "digit"}, 422, "did you mean 'digits'?"),
        ({"workflow": "train", "repository": "digits", "inputs": []}, 422, "'inputs' is not an object"),
        ({"workflow": "train", "repository": "digits", "inputs": {"a": [1]}}, 422, "the input 'a'"),
        (b"x" * (256 * 1024 + 1), 413, "larger than 262,144 bytes"),
    ],
)
def test_a_start_that_cannot_be_is_refused_and_not_asked(
    ledger: Ledger, api: Api, body: Any, status: int, said: str
) -> None:
    answer = api.post("/runs", body)
    assert answer.status == status
    assert said in detail(answer)
    assert ledger.requests.take() == []


def test_a_body_of_another_type_is_refused(api: Api) -> None:
    answer = api.post("/runs", b"workflow=train", headers={"Content-Type": "text/plain"})
    assert answer.status == 415


def test_while_the_daemon_does_not_answer_there_is_a_place_to_look(ledger: Ledger, api: Api) -> None:
    answer = api.post("/runs", {"workflow": "train", "repository": "digits"})
    assert answer.status == 202
    where = answer.headers["Location"].removeprefix("/api/v1")
    assert api.get(where).status == 202
    assert api.get(where, token=api.make_token("admin")).status == 404
    (request,) = ledger.requests.take()
    ledger.requests.done(request.id, {"run_id": create(ledger)})
    assert api.get(where).status == 201
    assert api.get("/requests/99").status == 404
    assert api.get(f"/requests/{10**40}").status == 404


@pytest.mark.parametrize(("exit_code", "status"), [(2, 422), (3, 422), (4, 503), (1, 500)])
def test_what_the_daemon_refuses_is_told_with_whose_turn_it_is(
    ledger: Ledger, api: Api, exit_code: int, status: int
) -> None:
    api.post("/runs", {"workflow": "train", "repository": "digits"})
    (request,) = ledger.requests.take()
    ledger.requests.done(request.id, {"error": "it cannot be done", "exit_code": exit_code})
    answer = api.get(f"/requests/{request.id}")
    assert answer.status == status
    assert "it cannot be done" in detail(answer)


def test_a_call_that_is_repeated_with_its_key_asks_once(ledger: Ledger, api: Api) -> None:
    body = {"workflow": "train", "repository": "digits"}
    named = {"headers": {"Idempotency-Key": "k"}}
    places = {api.post("/runs", body, **named).headers["Location"] for _ in range(3)}
    assert len(places) == 1
    assert len(ledger.requests.take()) == 1
    other = api.post("/runs", {**body, "ref": "dev"}, **named)
    assert other.status == 422
    assert "something else was asked" in detail(other)
    stranger = api.make_token("run")
    assert api.post("/runs", body, **named, token=stranger).headers["Location"] not in places
    assert api.post("/runs", body, headers={"Idempotency-Key": "k" * 256}).status == 400


def test_a_cancel_marks_the_run_at_once_and_may_come_again(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    assert api.post(f"/runs/{run_id}/cancel", {"reason": "enough"}).status == 202
    assert ledger.runs.get(run_id).is_cancel_requested
    assert api.call("POST", f"/runs/{run_id}/cancel").json["is_cancel_requested"]
    assert {request.payload["reason"] for request in ledger.requests.take()} == {
        "enough",
        "cancelled by t0",
    }
    ended = create(ledger)
    end(ledger, ended)
    assert api.post(f"/runs/{ended}/cancel").status == 200
    assert not ledger.runs.get(ended).is_cancel_requested


def test_only_what_has_ended_is_run_again(ledger: Ledger, api: Api) -> None:
    run_id = create(ledger)
    assert api.post(f"/runs/{run_id}/rerun").status == 409
    end(ledger, run_id)
    assert api.post(f"/runs/{run_id}/rerun", {"failed": "yes"}).status == 422
    assert api.post(f"/runs/{run_id}/rerun", {"failed": True}).status == 202
    assert [request.payload["failed"] for request in ledger.requests.take()] == [True]


def test_what_there_is_not_is_told_as_a_problem(api: Api) -> None:
    assert api.get("/nothing").status == 404
    assert api.get("/runs/").status == 404
    assert api.get("/runs/..%2f..%2fetc").status == 404
    answer = api.call("DELETE", "/runs")
    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]


def test_while_the_daemon_waits_to_begin_all_calls_are_told_so(storage: Storage) -> None:
    with serving_api(None, storage) as api:
        answer = api.get("/runs", token="wl_a_b")
    assert answer.status == 503
    assert "/healthz" in detail(answer)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_mistake_of_the_program_shows_nothing_of_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a detail of ours")

    assert api.ledger is not None
    monkeypatch.setattr(api.ledger.runs, "list", broken)
    answer = api.get("/runs")
    assert answer.status == 500
    assert "a mistake of ours" in detail(answer)
    assert b"a detail of ours" not in answer.body
    wait_until(lambda: "a detail of ours" in caplog.text, what="the log")


def test_the_document_is_there_for_all_and_lists_every_route(api: Api) -> None:
    answer = api.get("/openapi.json", token="")
    assert answer.json == DOCUMENT
    assert answer.json["openapi"].startswith("3.1.")
    for template, methods in DOCUMENT["paths"].items():
        path = template.replace("{request}", "1").replace("{", "").replace("}", "")
        allowed = api.call("PURGE", path, token="").headers["Allow"]
        told = {method.upper() for method in methods if method != "parameters"}
        assert {word.strip() for word in allowed.split(",")} - {"HEAD"} == told, template
