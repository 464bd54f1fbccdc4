from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.daemon.deliveries import News, read_news
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.webhooks import Webhooks
from windlass_runner.forges.signatures import sign
from windlass_runner.ledger.errors import LedgerFull
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import NewDelivery
from windlass_runner.web.app import Reply

NEW = "2" * 40
DIGITS = "https://github.com/acme/digits"
SECRETS = {"DIGITS": "hush", "OTHER": "psst"}
PUSH = {
    "repository": {"full_name": "Acme/Digits"},  # as its owner writes it
    "ref": "refs/heads/main",
    "before": "1" * 40,
    "after": NEW,
    "sender": {"login": "mona"},
}
COMMENT = {
    "action": "created",
    "repository": {"full_name": "acme/digits"},
    "issue": {"number": 7, "pull_request": {}},
    "comment": {"body": "/retest", "user": {"login": "mona", "type": "User"}},
}


class Receiving:
    """Webhooks over a real ledger, with two repositories on GitHub and a plain one of the same name."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.woken = 0
        self.webhooks = Webhooks(
            repositories=(
                _repository("acme/digits", url=DIGITS, secret="DIGITS"),
                _repository("acme/other", url="https://github.com/acme/other", secret="OTHER"),
                _repository("acme/unsigned", url="https://github.com/acme/unsigned", secret=None),
                _repository("acme/plain", url="file:///srv/plain.git", secret="DIGITS", forge="git"),
            ),
            environ=SECRETS,
            inbox=ledger.inbox,
            clock=lambda: 5.0,
            wake=self._wake,
            github_address={4711: DIGITS}.get,
        )

    def github(self, kind: str, data: object, *, secret: str = "hush", id: str = "d1") -> Reply:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        (reply,) = self.webhooks.receive("github", [(_signed(kind, body, id, secret=secret), body)])
        return reply

    def news(self) -> list[News]:
        return [read_news(delivery) for delivery in self.ledger.inbox.take(100, at=6.0)]

    def _wake(self) -> None:
        self.woken += 1


def _signed(kind: str, body: bytes, id: str, *, secret: str = "hush") -> dict[str, str]:
    return {
        "x-github-event": kind,
        "x-github-delivery": id,
        "x-hub-signature-256": sign(body, secret),
        "user-agent": "GitHub-Hookshot/1",
    }


def _repository(name: str, *, url: str, secret: str | None, forge: str = "github") -> RepositorySettings:
    source = SecretSource(env=secret) if secret else None
    return RepositorySettings(url=url, name=name, forge=forge, webhook_secret=source)


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield Receiving(ledger)


@pytest.fixture
def journal(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="windlass_runner")
    return caplog


def _with(data: dict[str, Any], repository: str) -> dict[str, Any]:
    return {**data, "repository": {"full_name": repository}}


def test_events_and_commands_lie_in_the_inbox_under_the_repositorys_address(receiving: Receiving) -> None:
    assert receiving.github("push", PUSH) == (202, {"delivery": "github:d1", "events": 1, "known": False})
    assert receiving.github("issue_comment", COMMENT, id="d2")[0] == 202
    push, comment = receiving.news()
    assert (push.id, push.repository, push.observed_at, push.received_at) == ("github:d1", DIGITS, None, 5.0)
    assert [(e.kind, e.repository, e.ref, e.sha, e.actor) for e in push.events] == [
        ("push", DIGITS, "refs/heads/main", NEW, "mona")
    ]
    assert push.events[0].payload == PUSH
    assert [(c.kind, c.repository, c.number, c.actor) for c in comment.commands] == [
        ("rerun", DIGITS, 7, "mona")
    ]
    assert receiving.woken == 2


def test_the_inbox_holds_the_body_as_it_came_and_no_other_headers(receiving: Receiving) -> None:
    body = json.dumps(PUSH, indent=3).encode()
    receiving.github("push", body)
    (delivery,) = receiving.ledger.inbox.take(1, at=6.0)
    assert (delivery.forge, delivery.kind, delivery.body) == ("github", "push", body)
    assert delivery.headers == {"x-github-event": "push", "x-github-delivery": "d1"}


def test_a_delivery_sent_again_changes_nothing(receiving: Receiving) -> None:
    answers = [receiving.github("push", PUSH) for _ in range(3)]
    assert [(status, data["known"]) for status, data in answers] == [(202, False), (202, True), (202, True)]
    assert len(receiving.news()) == 1


@pytest.mark.parametrize("name", ["acme/else", "acme/plain", "digits", "acme/digits2"])
def test_what_is_not_watched_is_no_failure_and_not_kept(
    receiving: Receiving, journal: pytest.LogCaptureFixture, name: str
) -> None:
    status, data = receiving.github("push", _with(PUSH, name))
    assert (status, data["watched"]) == (202, False)
    assert receiving.news() == []
    assert [record.message for record in journal.records] == ["webhook.not_watched"]


def test_a_repository_that_was_renamed_is_known_by_its_number(receiving: Receiving) -> None:
    def push(name: str, number: Any, **more: str) -> Any:
        told = {**PUSH, "repository": {"full_name": name, "id": number}}
        return receiving.github("push", told, **more)[1].get("events")

    assert push("acme/digits2", 815) == 0
    assert push("Acme/Digits", 815, id="d2") == 1
    assert push("acme/digits2", 815, id="d3") == 1
    assert push("acme/moved", 4711, id="d4") == 1  # as GitHub has told when it was asked
    assert push("acme/moved", True, id="d5") == 0
    assert {news.repository for news in receiving.news()} == {DIGITS}
    forged = {**PUSH, "repository": {"full_name": "acme/moved", "id": 815}}
    assert receiving.github("push", forged, secret="psst", id="d6")[0] == 401


def test_a_neighbours_secret_opens_no_door(receiving: Receiving) -> None:
    assert receiving.github("push", PUSH, secret="psst")[0] == 401
    assert receiving.github("push", _with(PUSH, "acme/unsigned"))[0] == 401
    assert receiving.news() == []


def test_a_secret_may_be_changed_while_we_run(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, "DIGITS", "new")
    assert receiving.github("push", PUSH, secret="hush")[0] == 401
    assert receiving.github("push", PUSH, secret="new")[0] == 202


@pytest.mark.parametrize("kind", ["ping", "installation", "check_run"])
def test_what_starts_nothing_is_answered_and_not_kept(
    receiving: Receiving, journal: pytest.LogCaptureFixture, kind: str
) -> None:
    told = {"action": "created", "repository": {"full_name": "acme/digits"}}
    assert receiving.github(kind, told) == (202, {"delivery": "github:d1", "events": 0})
    assert receiving.news() == []
    assert journal.records == []


def test_an_unknown_kind_leaves_a_line_in_the_log(
    receiving: Receiving, journal: pytest.LogCaptureFixture
) -> None:
    assert receiving.github("star", _with({}, "acme/digits"))[0] == 202
    (record,) = journal.records
    assert (record.message, record.__dict__["fields"]) == (
        "webhook.unknown_kind",
        {"kind": "star", "repository": "acme/digits"},
    )


@pytest.mark.parametrize(
    ("body", "secret", "status", "reason"),
    [
        (PUSH, "wrong", 401, "the signature does not fit the body"),
        (json.dumps(PUSH).encode()[:-9], "hush", 400, "the body is not whole JSON"),
        (b"\xff\xfe", "hush", 400, "the body is not whole JSON"),
        (b"[" * 100_000, "hush", 400, "the body is not whole JSON"),
        ({**PUSH, "after": "main"}, "hush", 400, "'after' is missing or not a commit's full name"),
    ],
)
def test_a_refusal_says_why_in_one_line_and_keeps_nothing(
    receiving: Receiving,
    journal: pytest.LogCaptureFixture,
    body: object,
    secret: str,
    status: int,
    reason: str,
) -> None:
    assert receiving.github("push", body, secret=secret) == (status, {"error": reason})
    assert receiving.news() == []
    assert [(record.message, record.exc_info) for record in journal.records] == [("webhook.refused", None)]
    assert not set(SECRETS.values()) & set(str(journal.records[0].__dict__["fields"]).split())


def test_deliveries_that_come_together_are_answered_each_in_its_place(receiving: Receiving) -> None:
    body, broken = json.dumps(PUSH).encode(), b"{"
    asked = [("a", body), ("b", broken), ("c", body), ("a", body)]
    replies = receiving.webhooks.receive("github", [(_signed("push", data, id), data) for id, data in asked])
    assert [(status, data.get("delivery"), data.get("known")) for status, data in replies] == [
        (202, "github:a", False),
        (400, None, None),
        (202, "github:c", False),
        (202, "github:a", True),
    ]
    assert [news.id for news in receiving.news()] == ["github:a", "github:c"]
    assert receiving.woken == 1


def test_one_that_cannot_be_kept_does_not_fail_the_others(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all = receiving.ledger.inbox.put_all

    def put_small(deliveries: Sequence[NewDelivery], *, at: float) -> list[bool]:
        if any(len(delivery.body) > 1000 for delivery in deliveries):
            raise LedgerFull("no space left", remedy="free some")
        return put_all(deliveries, at=at)

    monkeypatch.setattr(receiving.ledger.inbox, "put_all", put_small)
    small, large = json.dumps(PUSH).encode(), json.dumps({**PUSH, "commits": ["x" * 1000]}).encode()
    asked = [("a", small), ("b", large), ("c", small)]
    replies = receiving.webhooks.receive("github", [(_signed("push", data, id), data) for id, data in asked])
    assert [status for status, _ in replies] == [202, 503, 202]
    assert [news.id for news in receiving.news()] == ["github:a", "github:c"]
