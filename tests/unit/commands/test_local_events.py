"""Payloads and what they mean, with a real repository."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from windlass_registry.errors import AuthorError
from windlass_runner.commands.local_events import Repository, load_event
from windlass_runner.forges.git import Git
from windlass_runner.workflow.events import NO_COMMIT, Event


def git(root: Path, *words: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    call = ["git", "-C", str(root), *identity, *words]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    git(tmp_path, "init", "-q", "-b", "main")
    return Repository(tmp_path, Git(environment=dict(os.environ)))


def commit(repository: Repository, name: str) -> str:
    (repository.root / name).write_text(name)
    git(repository.root, "add", name)
    git(repository.root, "commit", "-qm", f"add {name}")
    return git(repository.root, "rev-parse", "HEAD")


def payload(tmp_path: Path, data: object) -> Path:
    path = tmp_path / "payload.json"
    path.write_text(json.dumps(data))
    return path


def test_a_repository_without_commits_runs_by_hand(repository: Repository) -> None:
    event = repository.by_hand({"x": "1"}, actor="me")
    assert (event.sha, event.ref, event.inputs) == (NO_COMMIT, "refs/heads/main", {"x": "1"})


def test_a_pretended_push_brings_the_last_commit(repository: Repository) -> None:
    before = commit(repository, "a")
    after = commit(repository, "b")
    event = repository.push("main", actor="me")
    assert (event.kind, event.ref, event.before, event.sha) == ("push", "refs/heads/main", before, after)
    assert event.changed_paths == ("b",)
    assert event.head_message == "add b"


def test_a_pretended_push_of_nothing_is_an_error(repository: Repository) -> None:
    with pytest.raises(AuthorError, match="git knows no 'nope' here"):
        repository.push("nope", actor="")


def test_a_githubs_push_is_recognised(repository: Repository, tmp_path: Path) -> None:
    data = {
        "ref": "refs/heads/main",
        "before": "a" * 40,
        "after": "b" * 40,
        "commits": [{"added": ["x"], "modified": ["y"], "removed": []}, {"added": [], "modified": ["x"]}],
        "head_commit": {"message": "hello"},
        "sender": {"login": "ann"},
        "repository": {"clone_url": "https://example.org/r.git"},
    }
    event = load_event(payload(tmp_path, data), name=None, repository=repository)
    assert (event.kind, event.sha, event.changed_paths) == ("push", "b" * 40, ("x", "y"))
    assert (event.head_message, event.actor, event.repository) == (
        "hello",
        "ann",
        "https://example.org/r.git",
    )


def test_a_pull_request_from_a_fork_is_told_apart(repository: Repository, tmp_path: Path) -> None:
    pull = {
        "number": 7,
        "head": {"sha": "c" * 40, "ref": "feature", "repo": {"full_name": "stranger/r"}},
        "base": {"sha": "d" * 40, "ref": "main", "repo": {"full_name": "acme/r"}},
    }
    path = payload(tmp_path, {"action": "opened", "pull_request": pull})
    event = load_event(path, name=None, repository=repository)
    assert (event.kind, event.is_fork, event.base_ref, event.number) == ("pull_request", True, "main", 7)


def test_an_event_of_our_own_is_taken_as_it_is(repository: Repository, tmp_path: Path) -> None:
    event = Event(kind="schedule", repository="file:///r", sha="e" * 40, schedule="0 3 * * *")
    path = payload(tmp_path, event.to_json())
    assert load_event(path, name=None, repository=repository) == event


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "does not say which event it is"),
        ('{"pull_request": {}}', "not the payload of 'pull_request'"),
    ],
)
def test_a_broken_payload_says_what_is_wrong(
    repository: Repository, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "payload.json"
    path.write_text(text)
    with pytest.raises(AuthorError, match=message):
        load_event(path, name=None, repository=repository)
