from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass_runner.daemon.deliveries import read_news
from windlass_runner.daemon.poller import Poller, moves
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.workflow.events import NO_COMMIT, Event

_WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **_WHO}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=_ENVIRONMENT
    )
    return done.stdout.strip()


class Watching:
    """A poller whose turns are called by hand."""

    def __init__(self, folder: Path, *, run_existing: bool = False) -> None:
        self.bare = folder / "r.git"
        _git(folder, "init", "-q", "--bare", "-b", "main", str(self.bare))
        self.url = f"file://{self.bare}"
        self.ledger = Ledger.open(folder / "ledger.db")
        self.settings = RepositorySettings(url=self.url, name="r", poll_s=2, run_existing=run_existing)
        self.now = 0.0
        self.open()

    def open(self) -> None:
        self.read = threading.Event()
        self.poller = Poller(
            repositories=[self.settings],
            git=Git(environment=_ENVIRONMENT),
            ledger=self.ledger,
            clock=time.time,
            monotonic=lambda: self.now,
            wake_intake=lambda: None,
            wake_self=self.read.set,
        )

    def poll(self) -> list[Event]:
        """One turn, its reading awaited where it began one; what lies in the inbox then."""
        self.read.clear()
        pause = self.poller.turn()
        if pause is None:
            assert self.read.wait(20)
        self.now += 1000.0
        found = [read_news(delivery) for delivery in self.ledger.inbox.take(100, at=0.0)]
        for news in found:
            self.ledger.inbox.done(news.id, at=0.0)
        return [event for news in found for event in news.events]

    def commit(self, ref: str, *, message: str = "x") -> str:
        tree = _git(self.bare, "write-tree")
        sha = _git(self.bare, "commit-tree", tree, "-m", message)
        _git(self.bare, "update-ref", ref, sha)
        return sha


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    watching = Watching(tmp_path)
    yield watching
    watching.poller.close()
    watching.ledger.close()


def test_a_push_to_an_empty_repository_is_news(watching: Watching) -> None:
    assert watching.poll() == []
    sha = watching.commit("refs/heads/main")
    (event,) = watching.poll()
    assert (event.ref, event.sha, event.before) == ("refs/heads/main", sha, None)
    assert watching.poll() == []


def test_what_stands_there_at_first_sight_is_no_news(watching: Watching) -> None:
    old = watching.commit("refs/heads/main")
    assert watching.poll() == []
    new = watching.commit("refs/heads/main", message="y")
    (event,) = watching.poll()
    assert (event.before, event.sha) == (old, new)


def test_where_asked_for_what_stands_there_is_run(tmp_path: Path) -> None:
    watching = Watching(tmp_path, run_existing=True)
    watching.commit("refs/heads/main")
    assert [event.ref for event in watching.poll()] == ["refs/heads/main"]
    assert watching.poll() == []
    watching.poller.close()
    watching.ledger.close()


def test_moves_are_heard_of_by_the_next_poller_too(watching: Watching) -> None:
    watching.poll()
    watching.poller.close()
    watching.commit("refs/heads/main")
    watching.open()
    assert [event.ref for event in watching.poll()] == ["refs/heads/main"]


def test_a_deleted_branch_is_told_of(watching: Watching) -> None:
    watching.commit("refs/heads/a")
    watching.poll()
    _git(watching.bare, "update-ref", "-d", "refs/heads/a")
    (event,) = watching.poll()
    assert event.is_deletion


def test_notes_and_other_refs_are_no_news(watching: Watching) -> None:
    watching.commit("refs/heads/main")
    watching.poll()
    watching.commit("refs/notes/windlass", message="note")
    watching.commit("refs/windlass/x", message="other")
    assert watching.poll() == []


def test_an_annotated_tag_stands_for_its_commit(watching: Watching) -> None:
    watching.poll()
    sha = watching.commit("refs/heads/main")
    _git(watching.bare, "tag", "-a", "v1", "-m", "one", "main")
    assert {event.ref: event.sha for event in watching.poll()} == {
        "refs/heads/main": sha,
        "refs/tags/v1": sha,
    }


def test_a_repository_that_cannot_be_read_is_told_of_and_read_again(
    watching: Watching, tmp_path: Path
) -> None:
    watching.poll()
    watching.bare.rename(tmp_path / "away")
    watching.poll()
    assert watching.poller.states()[0].error is not None
    (tmp_path / "away").rename(watching.bare)
    watching.commit("refs/heads/main")
    assert len(watching.poll()) == 1
    assert watching.poller.states()[0].error is None


def test_moves_are_the_difference_of_two_observations() -> None:
    last = {"refs/heads/a": "1" * 40, "refs/heads/b": "2" * 40, "windlass/known": NO_COMMIT}
    now = {"refs/heads/a": "3" * 40, "refs/heads/c": "4" * 40}
    told = {event.ref: (event.before, event.sha) for event in moves("r", last, now)}
    assert told == {
        "refs/heads/a": ("1" * 40, "3" * 40),
        "refs/heads/c": (None, "4" * 40),
        "refs/heads/b": ("2" * 40, NO_COMMIT),
    }
