"""GitLab over real HTTP: what is posted and to which ref, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from forge_doubles.gitlab import TOKEN, GitLabDouble
from forge_doubles.http import Fault, opened
from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import Check, CheckState, CommitStatus, Proposal
from windlass_runner.forges.gitlab.forge import GitLab
from windlass_runner.forges.json_api import Refused

SHA = "a" * 40
URL = "https://gitlab.example.org/acme/vision/digits.git"
REQUEST = {
    "iid": 7,
    "sha": SHA,
    "source_branch": "faster",
    "target_branch": "main",
    "source_project_id": 15,
    "target_project_id": 15,
    "author": {"username": "mona"},
}


@pytest.fixture
def double() -> Iterator[GitLabDouble]:
    with opened(GitLabDouble) as double:
        double.refs[SHA] = [("tag", "v1"), ("branch", "main"), ("branch", "dev")]
        yield double


def forge(double: GitLabDouble, *, token: str = TOKEN) -> GitLab:
    """Another life each time."""
    return GitLab(api_url=double.api_url, token=lambda: token, name_of=lambda _: "acme/vision/digits")


def status(
    *names: str, state: CheckState = "success", title: str = "3 jobs, 2 s", **more: Any
) -> CommitStatus:
    checks = tuple(Check(name=name, external_id="r1", state=state, title=title, **more) for name in names)
    return CommitStatus(repository=URL, sha=SHA, checks=checks, note="{}")


def test_a_status_says_what_came_of_it_and_where_to_look(double: GitLabDouble) -> None:
    forge(double).post(status("ci", url="https://ci.example.org/r1"))
    shown = double.newest(SHA)["ci"]
    assert (shown["status"], shown["description"], shown["ref"]) == ("success", "3 jobs, 2 s", "dev")
    assert shown["target_url"] == "https://ci.example.org/r1"


@pytest.mark.parametrize(
    ("refs", "ref"),
    [
        ([("branch", "main")], "main"),
        ([("tag", "v1"), ("tag", "v0")], "v0"),
        ([], "refs/merge-requests/9/head"),  # a fork's: of two requests for one commit the newer
    ],
)
def test_a_status_belongs_to_a_ref_that_has_the_commit(
    double: GitLabDouble, refs: list[tuple[str, str]], ref: str
) -> None:
    double.refs[SHA], double.requests_of[SHA] = refs, [7, 9]
    forge(double).post(status("ci"))
    assert double.newest(SHA)["ci"]["ref"] == ref


def test_a_commit_that_nothing_has_any_more_gets_no_status(
    double: GitLabDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.refs[SHA] = []
    forge(double).post(status("ci"))
    assert "on no branch, tag or merge request" in caplog.text
    assert double.requests("POST") == []


def test_another_life_sees_what_stands_there_on_however_many_pages(double: GitLabDouble) -> None:
    names = [f"job {number}" for number in range(230)]
    forge(double).post(status(*names))
    forge(double).post(status(*names, "lint"))
    assert [asked.body["name"] for asked in double.requests("POST")] == [*names, "lint"]


def test_a_status_that_somebody_else_has_moved_on_is_no_error(double: GitLabDouble) -> None:
    ours = forge(double)
    ours.post(status("ci", state="queued"))
    forge(double).post(status("ci", state="running"))
    ours.post(status("ci", state="running"))
    ours.post(status("ci"))
    assert double.newest(SHA)["ci"]["status"] == "success"


def test_a_title_that_changes_while_it_runs_is_not_posted_for_it_would_be_refused(
    double: GitLabDouble,
) -> None:
    ours = forge(double)
    for title in ("1 of 3 jobs", "2 of 3 jobs"):
        ours.post(status("ci", state="running", title=title))
    assert len(double.requests("POST")) == 1


def test_a_refusal_that_is_none_of_a_move_is_an_error_and_all_is_looked_up_again(
    double: GitLabDouble,
) -> None:
    ours = forge(double)
    ours.post(status("ci", state="running"))
    double.refs[SHA] = [("branch", "other")]
    double.faults.append(Fault(method="POST", status=400, body=b'{"message": {"ref": ["is gone"]}}'))
    with pytest.raises(Refused, match=r'400: {"ref": \["is gone"\]}'):
        ours.post(status("ci"))
    ours.post(status("ci"))
    assert double.newest(SHA)["ci"]["ref"] == "other"


@pytest.mark.parametrize(
    ("level", "may"),
    [(50, True), (40, True), (30, True), (20, False), (10, False), (0, False), (None, False)],
)
def test_who_may_write_is_asked_of_the_server(double: GitLabDouble, level: int | None, may: bool) -> None:
    double.users = {"Mona": 4, "monalisa": 5}
    double.members = {5: 50} if level is None else {4: level}
    assert forge(double).may_write(URL, "mona") is may


def test_who_is_not_there_may_not_write(double: GitLabDouble) -> None:
    assert not forge(double).may_write(URL, "nobody")


def test_a_merge_request_is_the_event_of_its_newest_commit(double: GitLabDouble) -> None:
    double.merge_requests[7] = REQUEST
    event = forge(double).fetch_pull_request(URL, 7)
    assert (event.repository, event.kind, event.number) == (URL, "pull_request", 7)
    assert (event.ref, event.sha, event.is_fork) == ("refs/merge-requests/7/head", SHA, False)
    assert (event.head_ref, event.base_ref, event.actor) == ("faster", "main", "mona")
    double.merge_requests[7] = {**REQUEST, "source_project_id": 16}
    assert forge(double).fetch_pull_request(URL, 7).is_fork


def test_a_merge_request_without_a_commit_is_asked_for_again(double: GitLabDouble) -> None:
    double.merge_requests[7] = {**REQUEST, "sha": None}
    with pytest.raises(UpstreamError, match=r"merge request 7: 'object_attributes.sha' is missing"):
        forge(double).fetch_pull_request(URL, 7)


def test_a_comment_is_answered_once(double: GitLabDouble) -> None:
    for key in ("d1", "d1", "d2"):
        forge(double).reply(URL, 7, "@mona that was not done", key=key)
    assert [one["body"].partition("\n")[2] for one in double.notes[7]] == ["@mona that was not done"] * 2


def test_a_token_that_does_not_hold_is_told(double: GitLabDouble) -> None:
    with pytest.raises(Refused, match="401: 401 Unauthorized; the token does not hold any more"):
        forge(double, token="old").post(status("ci"))


def test_a_list_that_is_none_is_tried_again_later(double: GitLabDouble) -> None:
    double.faults.append(Fault(status=200, body=b"{}"))
    with pytest.raises(UpstreamError, match="not a list"):
        forge(double).post(status("ci"))


def test_a_pull_request_is_opened_once(double: GitLabDouble) -> None:
    wanted = Proposal(branch="windlass/fit-1.1.0", base="main", title="Update fit", text="From 1.0.0.")
    page = forge(double).open_pull_request(URL, wanted)
    assert page.startswith("https://gitlab.example.org/acme/vision/digits/-/merge_requests/")
    assert forge(double).open_pull_request(URL, wanted) == page
    assert [one["title"] for one in double.merge_requests.values()] == ["Update fit"]
    other = Proposal(branch="windlass/fit-1.2.0", base="main", title="Update fit", text="")
    assert forge(double).open_pull_request(URL, other) != page
