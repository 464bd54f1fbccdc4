"""Gitea over real HTTP: what is posted, what is asked, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from forge_doubles.gitea import TOKEN, GiteaDouble
from forge_doubles.http import Fault, opened
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import Check, CommitStatus, Deployment, Proposal
from windlass_runner.forges.gitea.forge import Gitea
from windlass_runner.forges.json_api import MOST_BYTES, Refused

SHA = "a" * 40
URL = "ssh://git@git.example.org/acme/digits.git"
REPOSITORY = {"full_name": "acme/digits"}
PULL = {
    "number": 7,
    "user": {"login": "mona"},
    "head": {"ref": "faster", "sha": SHA, "repo": REPOSITORY},
    "base": {"ref": "main", "sha": "b" * 40, "repo": REPOSITORY},
}


@pytest.fixture
def double() -> Iterator[GiteaDouble]:
    with opened(GiteaDouble) as double:
        double.commits = {SHA}
        yield double


def forge(double: GiteaDouble, *, token: str = TOKEN, name: str = "acme/digits") -> Gitea:
    """Another life each time."""
    return Gitea(api_url=double.api_url + "/", token=lambda: token, name_of=lambda _: name)


def status(*names: str, **more: Any) -> CommitStatus:
    values: dict[str, Any] = {"external_id": "r1", "state": "success", "title": "3 jobs, 2 s", **more}
    checks = tuple(Check(name=name, **values) for name in names)
    return CommitStatus(repository=URL, sha=SHA, checks=checks, note="{}")


def test_a_status_says_what_came_of_it_and_where_to_look(double: GiteaDouble) -> None:
    forge(double).post(status("ci", url="https://ci.example.org/r1"))
    shown = double.newest(SHA)["ci"]
    assert (shown["status"], shown["description"]) == ("success", "3 jobs, 2 s")
    assert shown["target_url"] == "https://ci.example.org/r1"


def test_another_life_sees_what_stands_there_on_however_many_pages(double: GiteaDouble) -> None:
    names = [f"job {number}" for number in range(7)]
    forge(double).post(status(*names))
    double.page_items = 3  # fewer than we ask for
    forge(double).post(status(*names, "lint"))
    assert [asked.body["context"] for asked in double.requests("POST")] == [*names, "lint"]


def test_other_peoples_statuses_are_left_alone(double: GiteaDouble) -> None:
    forge(double).post(status("theirs"))
    forge(double).post(status("ours"))
    assert len(double.requests("POST")) == 2


def test_an_address_that_is_too_long_is_left_out(double: GiteaDouble) -> None:
    forge(double).post(status("ci", url="https://ci.example.org/" + "r" * 300))
    assert double.newest(SHA)["ci"]["target_url"] == ""


def test_a_comment_is_answered_once(double: GiteaDouble) -> None:
    for key in ("d1", "d1", "d2"):
        forge(double).reply(URL, 7, "@mona that was not done", key=key)
    assert [one["body"].partition("\n")[2] for one in double.comments[7]] == ["@mona that was not done"] * 2


def test_a_deployment_is_a_status_that_leads_to_what_was_deployed(double: GiteaDouble) -> None:
    def deployed(run: str, state: Any, **more: Any) -> Deployment:
        return Deployment(run=run, job="deploy", environment="production", state=state, **more)

    where = "https://digits.example.org"
    replaced, ours = deployed("r1", "inactive", description="approved by ada"), status("ci")
    waiting = deployed("r2", "waiting", description="waits for ada")
    forge(double).post(replace(ours, deployments=(replaced, waiting)))
    shown = double.newest(SHA)["deployment: production"]
    assert (shown["status"], shown["description"], shown["target_url"]) == ("pending", "waits for ada", "")
    done = deployed("r2", "success", environment_url=where, log_url="https://ci.example.org/r2")
    forge(double).post(replace(ours, deployments=(replaced, done)))
    shown = double.newest(SHA)["deployment: production"]
    assert (shown["status"], shown["description"], shown["target_url"]) == ("success", "success", where)
    forge(double).post(replace(ours, deployments=(replaced,)))
    shown = double.newest(SHA)["deployment: production"]
    assert (shown["status"], shown["description"]) == ("success", "another deployment took its place")


@pytest.mark.parametrize(
    ("permission", "may"),
    [("owner", True), ("admin", True), ("write", True), ("read", False), ("none", False), (None, False)],
)
def test_who_may_write_is_asked_of_the_server(double: GiteaDouble, permission: str | None, may: bool) -> None:
    if permission is not None:
        double.permissions["mona/é"] = permission
    assert forge(double).may_write(URL, "mona/é") is may


def test_a_token_that_may_not_ask_for_rights_is_told_what_it_lacks(double: GiteaDouble) -> None:
    double.is_admin = False
    with pytest.raises(Refused, match=r"403: Only admins .*; let the token's owner have that right"):
        forge(double).may_write(URL, "mona")


def test_a_pull_request_is_the_event_of_its_newest_commit(double: GiteaDouble) -> None:
    double.pulls[7] = PULL
    event = forge(double).fetch_pull_request(URL, 7)
    assert (event.repository, event.kind, event.number) == (URL, "pull_request", 7)
    assert (event.ref, event.sha, event.is_fork) == ("refs/pull/7/head", SHA, False)
    assert (event.head_ref, event.base_ref, event.actor) == ("faster", "main", "mona")
    assert event.payload["pull_request"]["number"] == 7


def test_a_pull_request_that_says_too_little_is_asked_for_again(double: GiteaDouble) -> None:
    double.pulls[7] = {**PULL, "head": {"ref": "faster", "sha": "", "repo": REPOSITORY}}
    with pytest.raises(UpstreamError, match=r"pull request 7: 'pull_request.head.sha' is missing"):
        forge(double).fetch_pull_request(URL, 7)


def test_a_token_that_does_not_hold_is_told(double: GiteaDouble) -> None:
    with pytest.raises(Refused, match=r"401: user does not exist .*; the token does not hold any more"):
        forge(double, token="old").post(status("ci"))


def test_a_repository_that_is_not_there_is_told(double: GiteaDouble) -> None:
    with pytest.raises(Refused, match=r"404: The target couldn't be found\.; check `api_url`"):
        forge(double, name="acme/nothing").post(status("ci"))


def test_the_token_goes_nowhere_else(double: GiteaDouble) -> None:
    with opened(GiteaDouble) as other:
        double.faults.append(Fault(status=301, headers={"Location": other.api_url + "/repos/acme/digits"}))
        with pytest.raises(Refused, match="has it moved"):
            forge(double).post(status("ci"))
        assert other.asked == []


@pytest.mark.parametrize(
    ("header", "pause_s"), [("7", 7.0), ("Sat, 21 Nov 2026 14:00:00 GMT", None), ("é", None)]
)
def test_a_server_that_says_when_to_come_again_is_understood(
    double: GiteaDouble, header: str, pause_s: float | None
) -> None:
    double.faults.append(Fault(status=429, headers={"Retry-After": header}))
    with pytest.raises(UpstreamError) as caught:
        forge(double).post(status("ci"))
    assert caught.value.retry_after_s == pause_s


@pytest.mark.parametrize(
    "fault",
    [
        Fault(raw=b""),
        Fault(raw=b"not HTTP at all\r\n\r\n"),
        Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        Fault(status=200, body=b"<html>a page for people</html>"),
        Fault(status=200, body=b"[]"),
        Fault(status=200, body=b'"x"'),
        Fault(status=200, body=b"[" * 100_000),
        Fault(status=200, body=b" " * (MOST_BYTES + 1_000_000)),
        Fault(status=503, body=b"\xff\xfe"),
        Fault(status=500, body=b'{"message": {"odd": ["words"]}}'),
    ],
)
def test_a_broken_answer_is_tried_again_later(double: GiteaDouble, fault: Fault) -> None:
    ours = forge(double)
    double.faults.append(fault)
    with pytest.raises(UpstreamError):
        ours.post(status("ci"))
    ours.post(status("ci"))
    assert double.newest(SHA)["ci"]["status"] == "success"


def test_an_error_text_stays_on_its_line(double: GiteaDouble) -> None:
    double.faults.append(Fault(status=422, body=b'{"message": "a\\nb\\u001b[31m' + b"x" * 1000 + b'"}'))
    with pytest.raises(OperatorError) as caught:
        forge(double).post(status("ci"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_server_that_is_not_there_is_tried_again_later(double: GiteaDouble) -> None:
    double.close()
    with pytest.raises(
        UpstreamError, match=r"^127\.0\.0\.1:\d+ does not answer: Failed to establish a new connection"
    ):
        forge(double).post(status("ci"))


def test_a_pull_request_is_opened_once(double: GiteaDouble) -> None:
    wanted = Proposal(branch="windlass/fit-1.1.0", base="main", title="Update fit", text="From 1.0.0.")
    page = forge(double).open_pull_request(URL, wanted)
    assert page.startswith("https://gitea.example.org/acme/digits/pulls/")
    assert forge(double).open_pull_request(URL, wanted) == page
    assert [one["title"] for one in double.pulls.values()] == ["Update fit"]
    other = Proposal(branch="windlass/fit-1.2.0", base="main", title="Update fit", text="")
    assert forge(double).open_pull_request(URL, other) != page
