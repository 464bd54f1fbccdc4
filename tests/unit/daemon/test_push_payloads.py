"""What a workflow sees of a push: what the forge told of it, and what git knows better."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_runner.daemon.push_payloads import push_payload
from windlass_runner.forges.git_objects import Commit
from windlass_runner.workflow.events import NO_COMMIT, Event

SHA, TAG = "a" * 40, "b" * 40
COMMIT = Commit(
    sha=SHA, parents=(), author_name="Ada", author_email="ada@example.org", time=1, message="Faster"
)


def payload(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    words: dict[str, Any] = {"repository": "https://github.com/acme/digits.git", "ref": "refs/heads/main"}
    return push_payload(Event(kind="push", sha=SHA, payload=told, **{**words, **more}), COMMIT)


def test_what_the_forge_told_is_there_for_expressions() -> None:
    head = {"id": SHA, "message": "Faster", "author": {"username": "ada"}}
    told = {
        "repository": {"full_name": "acme/digits", "default_branch": "trunk", "private": True},
        "sender": {"login": "ada"},
        "forced": True,
        "compare": "https://github.com/acme/digits/compare/1...2",
        "commits": [{"id": f"{number}"} for number in range(2048)],
        "head_commit": head,
        "pusher": {"name": "ada", "email": None},
    }
    found = payload(told, before=TAG, actor="ada")
    assert (found["forced"], found["sender"], found["head_commit"]) == (True, {"login": "ada"}, head)
    assert found["repository"]["default_branch"] == "trunk"
    assert (found["before"], found["after"], found["created"]) == (TAG, SHA, False)
    assert [found["commits"][0]["id"], len(found["commits"])] == ["1998", 50]


def test_of_a_tag_that_is_an_object_of_its_own_the_commit_counts() -> None:
    told = {"after": TAG, "head_commit": {"id": TAG, "message": "of somebody else"}, "created": True}
    found = payload(told, ref="refs/tags/v1")
    assert (found["after"], found["head_commit"]["id"], found["head_commit"]["message"]) == (
        SHA,
        SHA,
        "Faster",
    )


@pytest.mark.parametrize("told", [{}, {"repository": None, "pusher": [], "commits": None, "head_commit": 7}])
def test_a_push_that_was_only_seen_says_what_git_knows(told: dict[str, Any]) -> None:
    found = payload(told)
    assert found["repository"]["full_name"] == "acme/digits"
    assert found["head_commit"] == {
        "id": SHA,
        "message": "Faster",
        "author": {"name": "Ada", "email": "ada@example.org"},
    }
    assert (found["before"], found["pusher"]) == (NO_COMMIT, {"name": "Ada"})
