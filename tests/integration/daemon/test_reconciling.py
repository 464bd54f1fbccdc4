"""What GitHub's webhooks did not bring is fetched from it, and run once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from github_double.server import Fault, GitHubDouble, open_double
from github_double.world import Repository as Hosted
from github_double.world import World, private_key, real_clock, stamp
from integration.daemon.serving import Repository, Serving, wait_until
from integration.forges.posting import URL, app_account
from windlass_runner.daemon.deliveries import read_news
from windlass_runner.daemon.reconciling import Reconciling
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.forges.github.forge import GitHub, HostedRepository
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord
from windlass_runner.run.storage import Storage

A, B, C = "a" * 40, "b" * 40, "c" * 40
BOTH = "on: [push, pull_request]\njobs:\n  one: {uses: script@v1, with: {script: 'echo hello'}}\n"
NAMES = {"repository": {"id": 1, "full_name": "acme/digits"}, "sender": {"login": "ada"}}


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double(World(clock=real_clock())) as double:
        yield double


@pytest.fixture
def hosted(hub: GitHubDouble) -> Hosted:
    hosted = hub.world.add_repository("acme/digits")
    hub.world.install(hosted)
    return hosted


def pull(number: int, sha: str, *, branch: str = "change") -> dict[str, Any]:
    source = {"full_name": "acme/digits"}
    head, base = {"ref": branch, "sha": sha, "repo": source}, {"ref": "main", "sha": A, "repo": source}
    return {"number": number, "state": "open", "head": head, "base": base, "user": {"login": "ada"}}


def pull_request(number: int, sha: str, *, action: str = "opened") -> dict[str, Any]:
    return {**NAMES, "action": action, "number": number, "pull_request": pull(number, sha)}


def push(sha: str, *, before: str = "0" * 40) -> dict[str, Any]:
    commits = {"commits": [], "head_commit": {"id": sha, "message": "a change"}}
    return {**NAMES, "ref": "refs/heads/main", "before": before, "after": sha, "deleted": False, **commits}


# -- a whole daemon -----------------------------------------------------------------------------------


def configure_github(serving: Serving, hub: GitHubDouble, repository: Repository, *, watch: str) -> None:
    (serving.folder / "app.pem").write_text(private_key())
    (serving.folder / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[credentials.app]
api_url = "{hub.url}"
app_id = {hub.world.app_id}
private_key = {{file = "app.pem"}}
webhook_secret = {{file = "secret"}}
[[repository]]
url = "{repository.bare}"
name = "acme/digits"
forge = "github"
credentials = "app"
{watch}
[[host]]
engine = "process"
"""
    )


def runs(serving: Serving) -> list[RunRecord]:
    ledger = Ledger.open(Storage(serving.folder / "store").ledger)
    try:
        return ledger.runs.list()
    finally:
        ledger.close()


def test_webhooks_that_failed_while_the_daemon_was_down_are_replayed_once(
    hub: GitHubDouble, hosted: Hosted, repository: Repository, serving: Serving
) -> None:
    configure_github(serving, hub, repository, watch="poll_s = 0")
    serving.start()
    hub.hook_url = f"{serving.address}/hooks/github"
    serving.stop()
    sha = repository.push_workflow(BOTH)
    head = repository.commit({"change": "1"})
    repository.push("main:refs/pull/7/head")
    hosted.commits |= {sha, head}
    missed = [hub.deliver("push", push(sha)), hub.deliver("pull_request", pull_request(7, head))]
    assert [delivery.status_code for delivery in missed] == [0, 0]

    serving.start()

    wait_until(lambda: {run.sha for run in runs(serving)} == {sha, head}, what="both", timeout_s=60)
    hub.hook_url = f"{serving.address}/hooks/github"
    for delivery in missed:
        hub.send(delivery)  # somebody presses "Redeliver"
    hub.deliver("pull_request", pull_request(7, head, action="reopened"))
    wait_until(lambda: len(runs(serving)) >= 3, what="what came last", timeout_s=60)
    assert [run.sha for run in runs(serving)] == [head, head, sha]
    assert [delivery.status_code for delivery in missed] == [202, 202]


def test_a_pull_request_that_no_webhook_told_of_is_run_once_also_when_one_comes_late(
    hub: GitHubDouble, hosted: Hosted, repository: Repository, serving: Serving
) -> None:
    configure_github(serving, hub, repository, watch="poll_s = 60\nrun_existing = true")
    repository.push_workflow(BOTH.replace("push, ", ""))
    head = repository.commit({"change": "1"})
    repository.push("main:refs/pull/7/head")
    hosted.commits.add(head)
    hosted.pulls[7] = pull(7, head)
    serving.start()
    wait_until(lambda: len(runs(serving)) == 1, what="the polled run", timeout_s=60)

    hub.hook_url = f"{serving.address}/hooks/github"
    late = hub.deliver("pull_request", pull_request(7, head))
    hub.deliver("pull_request", pull_request(7, head, action="reopened"))

    wait_until(lambda: len(runs(serving)) >= 2, what="what came last", timeout_s=60)
    assert late.status_code == 202
    assert [(run.sha, run.ref) for run in runs(serving)] == [(head, "refs/pull/7/head")] * 2


# -- only what asks -----------------------------------------------------------------------------------


class Room:
    """What asks GitHub, in one life after the other, and the inbox that it fills."""

    def __init__(self, hub: GitHubDouble, folder: Path) -> None:
        self.hub = hub
        self.ledger = Ledger.open(folder / "ledger.db")
        self.now = 0.0
        self.begin()

    def begin(self, **settings: Any) -> None:
        watched = RepositorySettings(
            url=URL, name="Acme/digits", forge="github", credentials="acme-app", **settings
        )
        hosted = HostedRepository(url=URL, name="acme/digits", account=app_account(self.hub))
        self.reconciling = Reconciling(
            github=GitHub([hosted], clock=self.hub.world.clock, wait=self.hub.world.clock.wait),
            repositories=[watched],
            ledger=self.ledger,
            clock=self.hub.world.clock,
            monotonic=lambda: self.now,
            wake_intake=lambda: None,
        )

    def turn(self) -> float | None:
        self.now += 60
        return self.reconciling.turn()

    def taken(self) -> list[tuple[str, str]]:
        """Id and kind of what is new in the inbox."""
        found = self.ledger.inbox.take(1000, at=1.0)
        for delivery in found:
            self.ledger.inbox.done(delivery.id, at=1.0)
        return [(delivery.id, delivery.kind) for delivery in found]

    def fetched(self) -> int:
        return len(self.hub.requests("GET", r"/app/hook/deliveries/\d+"))


@pytest.fixture
def room(hub: GitHubDouble, hosted: Hosted, tmp_path: Path) -> Iterator[Room]:
    room = Room(hub, tmp_path)
    yield room
    room.ledger.close()


def test_missed_deliveries_of_several_pages_come_oldest_first_and_in_pieces(
    room: Room, hub: GitHubDouble
) -> None:
    missed = [hub.deliver("push", push(A)) for _ in range(120)]

    pauses = [room.turn() for _ in range(3)]

    assert pauses == [0.0, 0.0, 60.0]
    assert room.taken() == [(f"github:{delivery.guid}", "push") for delivery in missed]
    assert room.fetched() == 120


def test_what_is_known_or_means_nothing_is_not_fetched_again(
    room: Room, hub: GitHubDouble, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = {**push(A), "repository": {"id": 2, "full_name": "acme/letters"}}
    for kind, payload in [
        ("push", push(A)),
        ("push", {**push(A), "after": "HEAD"}),
        ("push", elsewhere),
        ("push", elsewhere),
        ("star", {**NAMES, "action": "created"}),
    ]:
        hub.deliver(kind, payload)
    room.turn()
    assert room.fetched() == 3
    assert len(room.taken()) == 1

    room.turn()
    assert room.fetched() == 3
    assert [record.message for record in caplog.records].count("delivery.unreadable") == 1

    room.begin()
    room.turn()
    assert room.fetched() == 5  # not what the inbox knows
    assert room.taken() == []


def test_what_is_older_than_github_keeps_it_is_let_be(room: Room, hub: GitHubDouble) -> None:
    old = hub.deliver("push", push(A))
    old.delivered_at -= 4 * 24 * 3600
    room.turn()
    assert room.fetched() == 0


def test_a_server_that_lists_what_went_through_as_well_is_understood(room: Room, hub: GitHubDouble) -> None:
    hub.world.lists_failures_alone = False
    hub.deliver("push", push(A)).status_code = 202
    failed = hub.deliver("push", push(B))
    room.turn()
    assert room.taken() == [(f"github:{failed.guid}", "push")]


def test_a_delivery_that_failed_later_than_younger_ones_is_found(room: Room, hub: GitHubDouble) -> None:
    slow = hub.deliver("push", push(A))
    slow.delivered_at, slow.status_code = slow.delivered_at - 30, 200
    hub.deliver("push", push(B))
    room.turn()
    assert len(room.taken()) == 1
    slow.status_code = 504
    room.turn()
    assert room.taken() == [(f"github:{slow.guid}", "push")]


def test_pull_requests_are_told_of_when_they_move_and_cost_nothing_while_they_do_not(
    room: Room, hub: GitHubDouble, hosted: Hosted
) -> None:
    hosted.pulls[7] = pull(7, A)
    room.turn()
    assert room.taken() == []  # it was there before us
    before = hub.world.calls
    for _ in range(3):
        room.turn()
    asked = hub.requests("GET", "/pulls$")
    assert ([seen.status for seen in asked], hub.world.calls) == ([200, 304, 304, 304], before)

    hosted.pulls[8] = pull(8, B)
    hosted.pulls[7] = pull(7, C)
    room.turn()
    told = [delivery.body for delivery in room.ledger.inbox.take(9, at=1.0)]
    assert [body.count(b'"action": "synchronize"') for body in told] == [2, 0]
    assert [body.count(b'"action": "opened"') for body in told] == [0, 2]
    assert f'"before": "{A}"'.encode() in told[0]

    room.taken()
    room.begin()
    room.turn()
    assert room.taken() == []  # a new life knows them


def said(hosted: Hosted, body: str, *, ago_s: float = 0.0, number: int = 7, login: str = "ada") -> None:
    """Somebody writes a comment, by which the pull request is updated."""
    id, at = 900 + len(hosted.comments), time.time() - ago_s
    comment = {"id": id, "number": number, "body": body, "login": login, "created_at": at}
    hosted.comments[id] = comment
    hosted.pulls[number] = {**hosted.pulls[number], "updated_at": f"{stamp(at)}", "title": f"{id}"}


def commands(room: Room) -> list[tuple[str, str | None]]:
    """What is new of commands: the delivery's id and what is asked for."""
    news = [read_news(delivery) for delivery in room.ledger.inbox.take(99, at=1.0)]
    for one in news:
        room.ledger.inbox.done(one.id, at=1.0)
    return [(one.id, command.job) for one in news for command in one.commands]


def test_without_webhooks_comments_are_read_once_and_only_where_something_is_new(
    room: Room, hub: GitHubDouble, hosted: Hosted
) -> None:
    hosted.pulls[7] = {**pull(7, A), "updated_at": stamp(time.time() - 60)}
    said(hosted, "/approve before-our-time", ago_s=50)
    room.turn()
    for _ in range(2):
        room.turn()
    assert (commands(room), hub.requests("GET", "/comments$")) == ([], [])

    said(hosted, "nice\r\n/approve production\r\n", ago_s=30)
    said(hosted, "/approve nothing", login="helper[bot]", ago_s=20)
    room.turn()
    room.begin()
    room.turn()
    assert commands(room) == [(f"comment:{URL}:901", "production")]

    said(hosted, "/approve staging", ago_s=10)
    room.turn()
    assert commands(room) == [(f"comment:{URL}:903", "staging")]
    assert len(hub.requests("GET", "/comments$")) == 2


def test_comments_of_long_ago_are_not_taken_up_again(room: Room, hosted: Hosted) -> None:
    hosted.pulls[7] = {**pull(7, A), "updated_at": stamp(1.0)}
    room.turn()
    said(hosted, "/approve production", ago_s=2 * 24 * 3600)
    room.turn()
    assert commands(room) == []


def test_without_webhooks_labels_are_told_as_they_come_and_go(room: Room, hosted: Hosted) -> None:
    def labelled(*names: str, at: float) -> None:
        usual = {"id": 1, "node_id": "L", "url": "https://x.y", "description": "", "default": False}
        labels = [{**usual, "name": name, "color": "ffffff"} for name in names]
        hosted.pulls[7] = {**pull(7, A), "labels": labels, "updated_at": stamp(at)}

    labelled("gpu", at=10.0)
    room.turn()
    assert room.taken() == []
    labelled("fast", "slow", at=20.0)
    room.turn()
    told = [
        (event.action, event.payload["label"]["name"], event.payload["label"].get("color"))
        for delivery in room.ledger.inbox.take(9, at=1.0)
        for event in read_news(delivery).events
    ]
    assert told == [
        ("labeled", "fast", "ffffff"),
        ("labeled", "slow", "ffffff"),
        ("unlabeled", "gpu", None),
    ]


def test_where_webhooks_come_nothing_of_that_is_asked_for(
    room: Room, hub: GitHubDouble, hosted: Hosted
) -> None:
    room.begin(webhook_secret=SecretSource(env="HOOK"))
    hosted.pulls[7] = {**pull(7, A), "updated_at": stamp(1.0)}
    room.turn()
    said(hosted, "/approve production")
    room.turn()
    assert (room.taken(), hub.requests("GET", "/comments$")) == ([], [])


def test_an_app_without_a_webhook_has_missed_nothing(
    room: Room, hub: GitHubDouble, caplog: pytest.LogCaptureFixture
) -> None:
    hub.plan(Fault(path="/app/hook/", status=404))
    caplog.set_level("INFO")
    assert room.turn() == 60.0
    assert not caplog.records


@pytest.mark.parametrize("longest_page", [100, 50])
def test_of_more_pull_requests_than_a_page_none_is_new_twice(
    room: Room, hub: GitHubDouble, hosted: Hosted, longest_page: int
) -> None:
    hub.world.longest_page = longest_page
    hosted.pulls |= {number: pull(number, A) for number in range(1, 131)}
    room.turn()
    hosted.pulls[1] = pull(1, B)
    room.turn()
    assert [kind for _, kind in room.taken()] == ["pull_request"]
    hosted.pulls = {130: pull(130, A), **hosted.pulls}  # the one that changed last stands first
    room.turn()
    assert room.taken() == []


def test_a_pull_request_that_cannot_be_read_holds_up_no_other(room: Room, hosted: Hosted) -> None:
    room.turn()
    hosted.pulls |= {7: pull(7, "HEAD"), 8: pull(8, B)}
    room.turn()
    assert [kind for _, kind in room.taken()] == ["pull_request"]


def test_what_fails_is_told_once_and_holds_up_nothing_else(
    room: Room, hub: GitHubDouble, hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    hub.deliver("push", push(A))
    caplog.set_level("INFO")
    hub.world.installations.clear()
    for _ in range(3):
        room.turn()
    assert [kind for _, kind in room.taken()] == ["push"]
    assert [record.message for record in caplog.records].count("reconciling.failed") == 1
    (trouble,) = room.reconciling.errors().items()
    assert trouble[0] == "Acme/digits"
    assert "not installed" in trouble[1]

    hub.world.install(hosted)
    room.now += 900
    room.turn()
    assert "reconciling.recovered" in [record.message for record in caplog.records]
    assert room.reconciling.errors() == {}


def test_a_repository_that_is_not_polled_has_its_pull_requests_left_alone(
    room: Room, hub: GitHubDouble
) -> None:
    room.begin(poll_s=0.0)
    room.turn()
    assert hub.requests("GET", "/pulls$") == []
