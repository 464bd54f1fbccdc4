"""Deliveries of Gitea and GitLab over a real ledger; GitHub's, in `test_webhooks`, take the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forge_doubles import gitea, gitlab
from windlass_runner.daemon.deliveries import News, read_news
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.webhooks import Webhooks
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.web.app import Reply

NEW = "2" * 40
SECRETS = {"DIGITS": "hush", "OTHER": "psst"}
MOVE = {"ref": "refs/heads/main", "before": "1" * 40, "after": NEW}


@dataclass(frozen=True, kw_only=True)
class Receiving:
    """Webhooks of one forge with `acme/digits`, `acme/other` and, without a secret, `acme/unsigned`."""

    forge: str
    ledger: Ledger
    webhooks: Webhooks

    def send(self, repository: str, *, secret: str = "hush", kind: str = "push") -> Reply:
        headers, body = self._told(repository, secret=secret, kind=kind)
        told = {name.lower(): value for name, value in headers.items()}
        (reply,) = self.webhooks.receive(self.forge, [(told, body)])
        return reply

    def news(self) -> list[News]:
        return [read_news(delivery) for delivery in self.ledger.inbox.take(100, at=6.0)]

    def _told(self, repository: str, *, secret: str, kind: str) -> tuple[Mapping[str, str], bytes]:
        payload: dict[str, Any]
        if self.forge == "gitea":
            payload = {**MOVE, "repository": {"full_name": repository}, "sender": {"login": "mona"}}
            return gitea.webhook(kind, payload, delivery="d1", secret=secret)
        project = {"path_with_namespace": repository}
        payload = {**MOVE, "object_kind": kind, "project": project, "user_username": "mona"}
        return gitlab.webhook("Push Hook", payload, delivery="d1", token=secret)


@pytest.fixture(params=["gitea", "gitlab"])
def receiving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiving]:
    forge = request.param
    sources = {"digits": "DIGITS", "other": "OTHER", "unsigned": None}
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        webhooks = Webhooks(
            repositories=tuple(
                RepositorySettings(
                    url=f"https://{forge}.example.org/acme/{name}",
                    name=f"acme/{name}",
                    forge=forge,
                    webhook_secret=SecretSource(env=source) if source else None,
                )
                for name, source in sources.items()
            ),
            environ=SECRETS,
            inbox=ledger.inbox,
            clock=lambda: 5.0,
            wake=lambda: None,
            github_address=lambda _number: None,
        )
        yield Receiving(forge=forge, ledger=ledger, webhooks=webhooks)


def test_events_lie_in_the_inbox_under_the_repositorys_address(receiving: Receiving) -> None:
    status, data = receiving.send("Acme/Digits")
    assert (status, data["events"], data["known"]) == (202, 1, False)
    (news,) = receiving.news()
    (event,) = news.events
    assert news.id == f"{receiving.forge}:d1"
    assert (event.kind, event.ref, event.sha, event.actor) == ("push", "refs/heads/main", NEW, "mona")
    assert event.repository == news.repository == f"https://{receiving.forge}.example.org/acme/digits"


def test_a_delivery_sent_again_changes_nothing(receiving: Receiving) -> None:
    assert [receiving.send("acme/digits")[1]["known"] for _ in range(3)] == [False, True, True]
    assert len(receiving.news()) == 1


def test_what_is_not_watched_is_no_failure_and_not_kept(receiving: Receiving) -> None:
    status, data = receiving.send("acme/else")
    assert (status, data["watched"]) == (202, False)
    assert receiving.news() == []


def test_what_is_not_read_is_no_failure_and_not_kept(receiving: Receiving) -> None:
    assert receiving.send("acme/digits", kind="pipeline")[0] == 202
    assert receiving.news() == []


def test_a_neighbours_secret_opens_no_door(receiving: Receiving) -> None:
    assert receiving.send("acme/digits", secret="psst")[0] == 401
    assert receiving.send("acme/unsigned")[0] == 401
    assert receiving.send("acme/digits", secret="wrong")[0] == 401
    assert receiving.news() == []
