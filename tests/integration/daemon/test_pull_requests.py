"""Pull requests and what people ask for in them, with real git, a real ledger and the daemon's own parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integration.daemon.serving import Repository, git
from windlass_registry.catalog import Catalog
from windlass_registry.errors import OperatorError
from windlass_registry.store import Store
from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.forge_commands import ForgeCommands
from windlass_runner.daemon.forge_events import ForgeEvents
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.pushes import Pushes
from windlass_runner.forges.base import Command, CommandKind
from windlass_runner.forges.git import Git
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord, RunUpdate
from windlass_runner.ledger.sample_offers import SampleOffer
from windlass_runner.plan.codec import loads
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import NO_COMMIT, Event

WORKFLOW = """
on: {pull_request: {paths: ['src/**']}}
jobs:
  test:
    uses: script@v1
    with: {script: 'echo ours'}
"""


@dataclass(kw_only=True)
class People:
    """The forge, where it is asked: who may write, and how the pull requests stand."""

    writers: set[str]
    pulls: dict[int, Event] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    """What they were told, by the answers' keys."""
    is_locked: bool = False

    def may_write(self, repository: str, login: str) -> bool:
        return login in self.writers

    def fetch_pull_request(self, repository: str, number: int) -> Event:
        return self.pulls[number]

    def reply(self, repository: str, number: int, text: str, *, key: str) -> None:
        if self.is_locked:
            raise OperatorError("the conversation is locked")
        self.replies.setdefault(key, text)


@dataclass(kw_only=True)
class Room:
    """The parts of a daemon that take events and commands, and a repository with a branch `change`."""

    repository: Repository
    ledger: Ledger
    people: People
    events: ForgeEvents
    commands: ForgeCommands
    approvals: Approvals
    deliveries: int = 0

    def push(self, files: dict[str, str], *, branch: str) -> str:
        work = self.repository.work
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", "a change")
        git(work, "push", "-q", "-f", str(self.repository.bare), f"HEAD:{branch}")
        return git(work, "rev-parse", "HEAD").strip()

    def pull(self, sha: str, **more: Any) -> Event:
        words: dict[str, Any] = {
            "kind": "pull_request",
            "action": "opened",
            "repository": self.repository.bare.as_uri(),
            "ref": "refs/pull/7/head",
            "sha": sha,
            "number": 7,
            "base_ref": "main",
            "head_ref": "change",
            "actor": "stranger",
        }
        return Event(**{**words, **more})

    def take(self, event: Event, *, delivery: str | None = None) -> tuple[str, ...]:
        self.deliveries += 1
        return self.events.take(event, delivery=delivery or f"d{self.deliveries}")

    def ask(self, kind: CommandKind, *, actor: str = "owner", **more: Any) -> tuple[str, ...]:
        self.deliveries += 1
        command = Command(kind=kind, repository=self.repository.bare.as_uri(), actor=actor, **more)
        return self.commands.take(command, delivery=f"d{self.deliveries}")

    def runs(self) -> list[RunRecord]:
        return self.ledger.runs.list()

    def script(self, run_id: str) -> str:
        plan = loads(Plan, self.ledger.runs.plan(run_id))
        return str(plan.specs["test"].steps)

    def end(self, run_id: str, *, state: Any) -> None:
        self.ledger.runs.record(run_id, run=RunUpdate(state=state, ended_at=1.0), at=1.0)


@pytest.fixture
def room(tmp_path: Path, repository: Repository) -> Iterator[Room]:
    tool = Git(environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    ledger = Ledger.open(tmp_path / "ledger.db")

    def clock() -> float:
        return 100.0

    def mirror_of(url: str) -> Mirror:
        return Mirror(tool, tmp_path / "storage", url)

    planning = CommitPlanning(
        git=tool, packages=Store(tmp_path / "packages"), catalog=Catalog.of_builtin(), options=PlanOptions()
    )
    pushes = Pushes(
        ledger=ledger,
        git=tool,
        mirror_of=mirror_of,
        plan=planning,
        shows_skipped=lambda _url: True,
        clock=clock,
    )
    approvals = Approvals(ledger=ledger, clock=clock)
    events = ForgeEvents(
        ledger=ledger, git=tool, mirror_of=mirror_of, pushes=pushes, approvals=approvals, clock=clock
    )
    people = People(writers={"owner"})
    room = Room(
        repository=repository,
        ledger=ledger,
        people=people,
        events=events,
        commands=ForgeCommands(
            ledger=ledger, approvals=approvals, events=events, asked=lambda _url: people, clock=clock
        ),
        approvals=approvals,
    )
    room.push({".windlass/workflows/ci.yaml": WORKFLOW, "README": "x"}, branch="main")
    yield room
    ledger.close()


def test_a_pull_request_of_ones_own_begins_at_once_and_once_for_a_delivery(room: Room) -> None:
    sha = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")

    (begun,) = room.take(room.pull(sha), delivery="d")

    assert room.take(room.pull(sha), delivery="d") == ()
    assert [(run.id, run.state, run.sha, run.ref) for run in room.runs()] == [
        (begun, "queued", sha, "refs/pull/7/head")
    ]


def test_a_commit_of_a_pull_request_is_run_once_however_it_is_heard_of(room: Room) -> None:
    first = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    assert len(room.take(room.pull(first))) == 1
    assert room.take(room.pull(first)) == ()  # another delivery tells the same
    second = room.push({"src/a.py": "2"}, branch="refs/pull/7/head")

    seen = room.events.take(room.pull(second, action="synchronize"), delivery="poll", observed_at=150.0)
    told = room.take(room.pull(second, action="synchronize", before=first))

    assert (len(seen), told) == (1, ())
    assert room.take(room.pull(first)) == ()  # the first news, late
    assert [run.sha for run in room.runs()] == [second, first]


@pytest.mark.parametrize("tells_before", [True, False])
def test_a_pull_request_that_moves_back_to_a_commit_runs_it_again(room: Room, tells_before: bool) -> None:
    first = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    second = room.push({"src/a.py": "2"}, branch="refs/pull/7/head")
    moves = [(None, first), (first, second), (second, first)]

    for before, sha in moves:
        action = "opened" if before is None else "synchronize"
        room.take(room.pull(sha, action=action, before=before if tells_before else None))

    assert [run.sha for run in room.runs()] == [first, second, first]


def test_a_samples_update_that_nobody_has_looked_at_waits_and_gets_no_secrets(room: Room) -> None:
    branch = "windlass/update-fit-v1.1.0"
    sha = room.push({"src/a.py": "theirs"}, branch=branch)
    offer = SampleOffer(
        repository=room.repository.bare.as_uri(),
        name="fit",
        version="1.1.0",
        sample="acme/fit",
        old_version="1.0.0",
        branch=branch,
        sha=sha,
        at=1.0,
    )
    room.ledger.sample_offers.begin(offer)
    pull = room.pull(sha, ref=f"refs/heads/{branch}", head_ref=branch)
    assert room.take(pull) == ()
    (run,) = room.runs()
    assert run.state == "waiting"
    assert run.reason.startswith("it is an update that nobody has looked at")
    assert loads(Plan, room.ledger.runs.plan(run.id)).event.is_fork
    assert room.ask("approve", sha=sha, number=7) == (run.id,)
    later = room.push({"src/a.py": "mine"}, branch=branch)
    assert len(room.take(room.pull(later, ref=f"refs/heads/{branch}", head_ref=branch))) == 1


def test_a_pull_request_that_is_opened_again_runs_again(room: Room) -> None:
    sha = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    room.take(room.pull(sha))

    assert len(room.take(room.pull(sha, action="reopened"))) == 1


def test_news_that_come_late_withdraw_nothing(room: Room) -> None:
    first = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    second = room.push({"src/a.py": "2"}, branch="refs/pull/7/head")
    room.take(room.pull(second, is_fork=True, action="synchronize", before=first))

    room.take(room.pull(first, is_fork=True))

    assert {run.state for run in room.runs()} == {"waiting"}


def test_a_pull_request_that_changes_no_file_of_the_filter_is_shown_as_skipped(room: Room) -> None:
    """What the base has changed since they parted does not count."""
    fork_point = git(room.repository.work, "rev-parse", "HEAD").strip()
    room.push({"src/main_only.py": "1"}, branch="main")
    git(room.repository.work, "reset", "-q", "--hard", fork_point)
    sha = room.push({"docs/a.md": "1"}, branch="refs/pull/7/head")

    (skipped,) = room.take(room.pull(sha))

    run = room.ledger.runs.get(skipped)
    assert (run.state, run.ended_at) == ("skipped", 100.0)
    assert "paths [src/**] include none of the 1 file changed" in run.reason


def test_a_forks_run_is_the_bases_workflow_and_waits_for_an_approval_of_that_commit(room: Room) -> None:
    theirs = WORKFLOW.replace("ours", "theirs")
    sha = room.push({"src/a.py": "1", ".windlass/workflows/ci.yaml": theirs}, branch="refs/pull/7/head")

    assert room.take(room.pull(sha, is_fork=True)) == ()
    (run,) = room.runs()
    assert run.state == "waiting"
    assert f"/ok-to-test {sha}" in run.reason
    assert "ours" in room.script(run.id)
    assert "theirs" not in room.script(run.id)

    assert room.ask("approve", sha=sha, actor="stranger") == ()
    assert room.ask("approve", sha=sha[:12]) == ()
    assert room.ask("approve", sha="0" * 40) == ()
    assert room.runs()[0].state == "waiting"
    assert room.ask("approve", sha=sha) == (run.id,)
    assert room.runs()[0].state == "queued"
    assert room.ask("approve", sha=sha) == ()


def test_a_workflow_that_only_the_fork_has_does_not_run(room: Room) -> None:
    files = {"src/a.py": "1", ".windlass/workflows/evil.yaml": WORKFLOW}
    sha = room.push(files, branch="refs/pull/7/head")

    room.take(room.pull(sha, is_fork=True))

    assert [run.workflow_path for run in room.runs()] == [".windlass/workflows/ci.yaml"]


@pytest.mark.parametrize("action", ["synchronize", "closed"])
def test_what_waits_is_withdrawn_when_a_commit_comes_after_it_or_the_pull_request_is_closed(
    room: Room, action: str
) -> None:
    first = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    room.take(room.pull(first, is_fork=True))
    git(room.repository.work, "push", "-q", str(room.repository.bare), f"{first}:refs/pull/8/head")
    room.take(room.pull(first, is_fork=True, number=8, ref="refs/pull/8/head"))
    second = room.push({"src/a.py": "2"}, branch="refs/pull/7/head") if action == "synchronize" else first

    room.take(room.pull(second, is_fork=True, action=action))

    about = {run.state for run in room.runs() if run.sha == first}
    assert about == {"cancelled", "waiting"}  # number 8 waits on
    assert room.ask("approve", sha="f" * 40) == ()


def test_what_waits_is_withdrawn_also_where_the_base_went_with_the_pull_request(room: Room) -> None:
    sha = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    room.take(room.pull(sha, is_fork=True))
    git(room.repository.bare, "update-ref", "-d", "refs/heads/main")

    assert room.take(room.pull(sha, is_fork=True, action="closed")) == ()
    assert [run.state for run in room.runs()] == ["cancelled"]


def test_a_closed_pull_request_whose_commit_is_gone_is_no_error(room: Room) -> None:
    assert room.take(room.pull("1" * 40, action="closed")) == ()


def test_test_runs_one_workflow_whatever_its_triggers_say_and_approves_the_commit(room: Room) -> None:
    sha = room.push({"docs/a.md": "1"}, branch="refs/pull/7/head")
    room.people.pulls[7] = room.pull(sha, is_fork=True)

    (begun,) = room.ask("test", number=7, workflow="ci")

    assert room.ledger.runs.get(begun).state == "queued"
    assert room.ask("test", number=7, workflow="ci", actor="stranger") == ()
    assert len(room.runs()) == 1


def test_retests_and_cancels_are_asked_of_the_newest_run_of_each_workflow(room: Room) -> None:
    sha = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    room.people.pulls[7] = room.pull(sha)
    (old,) = room.take(room.pull(sha))
    room.end(old, state="success")
    (failed,) = room.take(room.pull(sha, action="reopened"))
    room.end(failed, state="failure")

    room.ask("rerun_failed", number=7)
    room.ask("rerun", run=old, is_button=True, actor="anybody")
    room.ask("cancel", sha=sha)

    asked = [(request.kind, dict(request.payload)) for request in room.ledger.requests.take()]
    assert [(kind, payload["run_id"], payload["failed"]) for kind, payload in asked] == [
        ("rerun", failed, True),
        ("rerun", old, False),
    ]
    assert len({payload["key"] for _, payload in asked}) == 2


def test_a_run_of_another_repository_cannot_be_meant(room: Room) -> None:
    sha = room.push({"src/a.py": "1"}, branch="refs/pull/7/head")
    (run,) = room.take(room.pull(sha))
    other = Command(kind="cancel", repository="file:///elsewhere", actor="owner", run=run, is_button=True)

    room.commands.take(other, delivery="d")
    room.ask("rerun", run="another App's", is_button=True)

    assert room.ledger.requests.take() == []


def test_the_merge_queues_commit_is_run(room: Room) -> None:
    workflow = WORKFLOW.replace("{pull_request: {paths: ['src/**']}}", "merge_group")
    room.push({".windlass/workflows/queue.yaml": workflow}, branch="main")
    ref = "refs/heads/gh-readonly-queue/main/pr-7"
    sha = room.push({"src/a.py": "1"}, branch=ref)
    event = Event(
        kind="merge_group",
        action="checks_requested",
        repository=room.repository.bare.as_uri(),
        ref=ref,
        sha=sha,
    )

    (begun,) = room.take(event)

    assert room.ledger.runs.get(begun).workflow_path == ".windlass/workflows/queue.yaml"


def test_a_repository_dispatch_runs_what_the_default_branch_has(room: Room) -> None:
    workflow = WORKFLOW.replace(
        "{pull_request: {paths: ['src/**']}}", "{repository_dispatch: {types: [retrain]}}"
    )
    sha = room.push({".windlass/workflows/retrain.yaml": workflow}, branch="main")
    git(room.repository.bare, "symbolic-ref", "HEAD", "refs/heads/main")
    event = Event(
        kind="repository_dispatch",
        action="retrain",
        repository=room.repository.bare.as_uri(),
        sha=NO_COMMIT,
    )

    (begun,) = room.take(event)

    assert room.ledger.runs.get(begun).sha == sha
