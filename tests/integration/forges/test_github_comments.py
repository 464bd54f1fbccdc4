"""The one comment on a pull request: made once, edited after, and never taken for anybody else's."""

from __future__ import annotations

import logging

import pytest

from github_double.server import Fault, GitHubDouble
from github_double.world import Repository
from integration.forges.posting import SHA, URL, check, open_forge
from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import CommitStatus, NotYet, PullRequestComment
from windlass_runner.forges.comments import parse_comment
from windlass_runner.forges.github.comments import MARKER
from windlass_runner.forges.github.forge import Account, GitHub

COMMENTS = "/comments"


def said(text: str, *, number: int = 7) -> CommitStatus:
    comment = PullRequestComment(number=number, text=text)
    return CommitStatus(repository=URL, sha=SHA, checks=(check("success"),), note="{}", comments=(comment,))


def post(hub: GitHubDouble, forge: GitHub, status: CommitStatus) -> None:
    """As the outbox does: it comes again for what has to wait for its turn."""
    while True:
        try:
            return forge.post(status)
        except NotYet as error:
            hub.world.clock.wait(error.retry_after_s or 1.0)


def bodies(repository: Repository) -> list[tuple[str, str]]:
    return [(found["login"], found["body"]) for found in repository.comments.values()]


def theirs(repository: Repository, login: str, body: str) -> None:
    id = 50_000 + len(repository.comments)
    repository.comments[id] = {"id": id, "number": 7, "body": body, "login": login, "created_at": 0.0}


def test_it_is_made_once_and_edited_after(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    post(hub, forge, said("It runs."))
    post(hub, forge, said("It runs."))
    assert bodies(repository) == [("windlass[bot]", f"{MARKER}\nIt runs.")]
    post(hub, forge, said("It succeeded."))
    assert bodies(repository) == [("windlass[bot]", f"{MARKER}\nIt succeeded.")]
    writes = [seen.method for seen in hub.writes() if COMMENTS in seen.path]
    assert writes == ["POST", "PATCH"]


def test_another_life_finds_it_again_behind_many_others(hub: GitHubDouble, repository: Repository) -> None:
    for number in range(120):
        theirs(repository, "ada", f"remark {number}")
    post(hub, open_forge(hub), said("It runs."))
    for text in ("It runs.", "It succeeded."):
        post(hub, open_forge(hub), said(text))
    own = [body for login, body in bodies(repository) if login == "windlass[bot]"]
    assert own == [f"{MARKER}\nIt succeeded."]


def test_one_that_people_deleted_is_made_anew(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    post(hub, forge, said("It runs."))
    repository.comments.clear()
    post(hub, forge, said("It succeeded."))
    assert bodies(repository) == [("windlass[bot]", f"{MARKER}\nIt succeeded.")]


def test_somebody_who_knows_the_hidden_line_is_not_edited(hub: GitHubDouble, repository: Repository) -> None:
    theirs(repository, "mallory", f"{MARKER}\nAll is well.")
    theirs(repository, "windlass[bot]", f"Quoted: {MARKER}")
    post(hub, open_forge(hub), said("It failed."))
    assert bodies(repository)[:2] == [
        ("mallory", f"{MARKER}\nAll is well."),
        ("windlass[bot]", f"Quoted: {MARKER}"),
    ]
    assert bodies(repository)[2:] == [("windlass[bot]", f"{MARKER}\nIt failed.")]


def test_each_pull_request_has_its_own(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    post(hub, forge, said("seven"))
    post(hub, forge, said("eight", number=8))
    post(hub, forge, said("seven once more"))
    found = {one["number"]: one["body"] for one in repository.comments.values()}
    assert found == {7: f"{MARKER}\nseven once more", 8: f"{MARKER}\neight"}


def test_a_person_with_a_token_writes_as_that_person(hub: GitHubDouble, repository: Repository) -> None:
    repository.permissions["ada"] = "admin"
    token = hub.world.add_person("ada")
    account = Account(name="ada", api_url=hub.url, read_token=lambda: token)
    for text in ("It runs.", "It succeeded."):
        post(hub, open_forge(hub, account), said(text))
    assert bodies(repository) == [("ada", f"{MARKER}\nIt succeeded.")]


def test_an_outage_while_it_is_made_makes_no_second_one(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    hub.plan(Fault(path=COMMENTS, method="POST", status=502, has_effect=True))
    with pytest.raises(UpstreamError):
        post(hub, forge, said("It runs."))
    post(hub, forge, said("It succeeded."))
    assert bodies(repository) == [("windlass[bot]", f"{MARKER}\nIt succeeded.")]


def test_where_it_may_not_be_the_checks_go_on(
    hub: GitHubDouble, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    hub.plan(Fault(path=COMMENTS, times=99, status=403))
    forge = open_forge(hub)
    with caplog.at_level(logging.WARNING):
        post(hub, forge, said("It runs."))
    assert [run.state for run in repository.runs_of(SHA)] == [("completed", "success")]
    assert "no comment on acme/digits#7" in caplog.text
    (told,) = forge.refused_comments().values()
    assert told.startswith("no comment on #7: ")
    assert "403" in told


def test_a_comment_that_goes_through_ends_the_trouble(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    hub.plan(Fault(path=COMMENTS, status=403))
    post(hub, forge, said("It runs."))
    assert forge.refused_comments()
    post(hub, forge, said("It succeeded."))
    assert forge.refused_comments() == {}


def test_a_text_that_is_too_long_is_cut(hub: GitHubDouble, repository: Repository) -> None:
    post(hub, open_forge(hub), said("a line\n" * 20_000))
    ((_, body),) = bodies(repository)
    assert len(body.encode()) <= 65_535
    assert "*Cut:" in body


def test_what_somebody_asked_for_in_a_comment_is_answered_once(
    hub: GitHubDouble, repository: Repository
) -> None:
    theirs(repository, "mona", "/approve production")
    for key in ("d1", "d1", "d2"):
        open_forge(hub).reply(URL, 7, "@mona that was not done", key=key)
    ours = [body.partition("\n") for login, body in bodies(repository) if login == "windlass[bot]"]
    assert [text for _, _, text in ours] == ["@mona that was not done"] * 2
    assert parse_comment("\n".join(ours[0]), repository="acme/digits", number=7, actor="windlass") == ()
