"""The double of GitHub's API is as strict as the real one, or every test that uses it would prove nothing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import jwt
import pytest

from github_double.description import DOCUMENT, SHARED
from github_double.server import Fault, GitHubDouble, open_double
from github_double.world import Repository, private_key

SHA = "a" * 40
CHECK = {"name": "ci", "head_sha": SHA, "status": "in_progress"}


def ask(
    hub: GitHubDouble, method: str, path: str, body: Any = None, *, token: str = ""
) -> tuple[int, Any, dict[str, str]]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(hub.url + path, data=content, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), dict(error.headers)


def app_token(hub: GitHubDouble, *, issued_s: float = -60, lives_s: float = 300) -> str:
    now = hub.world.clock()
    claims = {"iat": int(now + issued_s), "exp": int(now + lives_s), "iss": str(hub.world.app_id)}
    return jwt.encode(claims, private_key(), algorithm="RS256")


def installation_token(hub: GitHubDouble) -> str:
    number = next(iter(hub.world.installations))
    _, body, _ = ask(hub, "POST", f"/app/installations/{number}/access_tokens", token=app_token(hub))
    return str(body["token"])


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared beside this repository")
def test_the_description_is_there() -> None:
    assert len(json.loads(DOCUMENT.read_text())["paths"]) > 100


def test_a_check_run_is_made_changed_and_found(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    status, made, _ = ask(hub, "POST", "/repos/acme/digits/check-runs", CHECK, token=token)
    assert (status, made["status"], made["conclusion"]) == (201, "in_progress", None)

    path = f"/repos/acme/digits/check-runs/{made['id']}"
    _, changed, _ = ask(hub, "PATCH", path, {"conclusion": "success"}, token=token)
    assert (changed["status"], changed["conclusion"]) == ("completed", "success")

    _, found, _ = ask(hub, "GET", f"/repos/acme/digits/commits/{SHA}/check-runs?filter=all", token=token)
    assert [run["id"] for run in found["check_runs"]] == [made["id"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**CHECK, "sumary": "x"}, "'sumary' was unexpected"),
        ({**CHECK, "status": "running"}, "'running' is not one of"),
        ({"name": "ci"}, "'head_sha' is a required property"),
        ({**CHECK, "started_at": "yesterday"}, "is not a 'date-time'"),
        ({**CHECK, "output": {"title": "t", "summary": "s", "annotations": [{}] * 51}}, "is too long"),
        ({**CHECK, "output": {"title": "t", "summary": "s" * 65_536}}, "is too long"),
        ({**CHECK, "actions": [{"label": "l" * 21, "description": "", "identifier": "x"}]}, "is too long"),
        ({**CHECK, "status": "completed"}, "is not valid under any of the given schemas"),
    ],
)
def test_what_github_does_not_describe_is_a_violation(
    hub: GitHubDouble, repository: Repository, body: Any, told: str
) -> None:
    token = installation_token(hub)
    assert ask(hub, "POST", "/repos/acme/digits/check-runs", body, token=token)[0] == 422
    assert told in "".join(hub.take_violations())


def test_a_path_or_query_that_is_not_described_is_a_violation(
    hub: GitHubDouble, repository: Repository
) -> None:
    token = installation_token(hub)
    ask(hub, "GET", "/repos/acme/digits/checks", token=token)
    ask(hub, "GET", f"/repos/acme/digits/commits/{SHA}/check-runs?filter=newest&pages=2", token=token)
    undescribed, page, order = hub.take_violations()
    assert "/checks is not described" in undescribed
    assert "the query has 'pages'" in page
    assert "'newest' is not one of" in order


def test_a_violation_fails_the_test_that_caused_it() -> None:
    def careless() -> None:
        with open_double() as hub:
            ask(hub, "GET", "/none")

    with pytest.raises(AssertionError, match="GET /none is not described"):
        careless()


@pytest.mark.parametrize(
    ("issued_s", "lives_s", "told"),
    [(30, 300, "'iat'"), (-60, -1, "'exp'"), (-60, 700, "too far in the future")],
)
def test_an_app_whose_clock_is_wrong_is_refused(
    hub: GitHubDouble, issued_s: float, lives_s: float, told: str
) -> None:
    status, body, _ = ask(hub, "GET", "/app", token=app_token(hub, issued_s=issued_s, lives_s=lives_s))
    assert status == 401
    assert told in body["message"]


def test_only_an_app_makes_check_runs(hub: GitHubDouble, repository: Repository) -> None:
    person = hub.world.add_person("ada")
    status, body, _ = ask(hub, "POST", "/repos/acme/digits/check-runs", CHECK, token=person)
    assert (status, body["message"]) == (403, "You must authenticate via a GitHub App.")


def test_a_token_ends_after_an_hour_and_with_its_installation(
    hub: GitHubDouble, repository: Repository
) -> None:
    token = installation_token(hub)
    assert ask(hub, "GET", "/repos/acme/digits", token=token)[0] == 200
    hub.world.clock.wait(3600)
    assert ask(hub, "GET", "/repos/acme/digits", token=token)[0] == 401

    token = installation_token(hub)
    hub.world.installations.clear()
    assert ask(hub, "GET", "/repos/acme/digits", token=token)[0] == 401


def test_a_renamed_repository_redirects(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    repository.rename("acme/numbers")
    status, found, _ = ask(hub, "GET", "/repos/acme/digits", token=token)  # urllib follows
    assert (status, found["full_name"]) == (200, "acme/numbers")
    status, _, headers = ask(hub, "POST", "/repos/acme/digits/check-runs", CHECK, token=token)
    assert (status, headers["Location"]) == (307, f"{hub.url}/repositories/{repository.id}/check-runs")


def test_faults_come_as_often_as_told(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    hub.plan(Fault(path="/check-runs$", times=2, status=502, answer="json"))
    hub.plan(Fault(path="/check-runs$", cut=True, has_effect=True))
    statuses = [ask(hub, "POST", "/repos/acme/digits/check-runs", CHECK, token=token)[0] for _ in range(2)]
    assert statuses == [502, 502]
    with pytest.raises(OSError, match=r"closed connection|reset"):
        ask(hub, "POST", "/repos/acme/digits/check-runs", CHECK, token=token)
    assert len(repository.runs_of(SHA)) == 1


def test_more_than_eighty_writes_a_minute_are_refused(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    path = "/repos/acme/digits/check-runs"
    statuses = [ask(hub, "POST", path, CHECK, token=token)[0] for _ in range(81)]
    assert statuses == [201] * 80 + [403]
    hub.world.clock.wait(61)
    assert ask(hub, "POST", path, CHECK, token=token)[0] == 201


def test_more_calls_than_the_hours_are_refused(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    hub.world.hourly_limit = 2
    answers = [ask(hub, "GET", "/repos/acme/digits", token=token) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 403]
    assert answers[-1][2]["X-RateLimit-Remaining"] == "0"
    assert float(answers[-1][2]["X-RateLimit-Reset"]) > hub.world.clock()


def test_an_answer_that_has_not_changed_is_neither_sent_nor_counted_again(
    hub: GitHubDouble, repository: Repository
) -> None:
    token = installation_token(hub)
    _, _, headers = ask(hub, "GET", "/repos/acme/digits", token=token)
    calls = hub.world.calls
    request = urllib.request.Request(
        f"{hub.url}/repos/acme/digits",
        headers={"Authorization": f"Bearer {token}", "If-None-Match": headers["ETag"]},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as error:
        assert error.code == 304
    assert hub.world.calls == calls == 1


def test_a_failed_delivery_is_listed_and_sent_again(hub: GitHubDouble) -> None:
    failed = hub.deliver("ping", {"zen": "Anything added dilutes everything else."})
    token = app_token(hub)
    _, listed, _ = ask(hub, "GET", "/app/hook/deliveries?status=failure", token=token)
    assert [item["guid"] for item in listed] == [failed.guid]
    _, whole, _ = ask(hub, "GET", f"/app/hook/deliveries/{failed.id}", token=token)
    assert whole["request"]["payload"] == failed.payload
    status, _, _ = ask(hub, "POST", f"/app/hook/deliveries/{failed.id}/attempts", token=token)
    again = max(hub.world.deliveries.values(), key=lambda found: found.id)
    assert (status, again.guid, again.is_redelivery) == (202, failed.guid, True)


def test_pull_requests_comments_and_permissions_are_told(hub: GitHubDouble, repository: Repository) -> None:
    token = installation_token(hub)
    repository.permissions["ada"] = "write"
    repository.pulls[7] = {"number": 7, "title": "Better digits", "state": "open"}
    base = "/repos/acme/digits"
    assert ask(hub, "GET", f"{base}/collaborators/ada/permission", token=token)[1]["permission"] == "write"
    assert ask(hub, "GET", f"{base}/collaborators/eve/permission", token=token)[1]["permission"] == "none"
    assert ask(hub, "GET", f"{base}/pulls/7", token=token)[1]["title"] == "Better digits"
    _, made, _ = ask(hub, "POST", f"{base}/issues/7/comments", {"body": "one"}, token=token)
    ask(hub, "PATCH", f"{base}/issues/comments/{made['id']}", {"body": "two"}, token=token)
    _, listed, _ = ask(hub, "GET", f"{base}/issues/7/comments", token=token)
    assert [comment["body"] for comment in listed] == ["two"]
