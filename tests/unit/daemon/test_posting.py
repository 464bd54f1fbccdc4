"""When a status is posted again that could not be posted: as the forge asks, and later each time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.posting import Posting
from windlass_runner.forges.base import CommitStatus, NotYet, ParsedDelivery
from windlass_runner.ledger.ledger import Ledger

URL, SHA = "https://github.com/acme/digits", "a" * 40


class Moody:
    """A forge that fails as it is told, then takes what comes."""

    name = "moody"

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)
        self.posted: list[CommitStatus] = []

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        raise NotImplementedError

    def post(self, status: CommitStatus) -> None:
        if self.moods:
            raise self.moods.pop(0)
        self.posted.append(status)


class Desk:
    """A posting with its ledger, worked by hand on a clock that stands still."""

    def __init__(self, ledger: Ledger, forge: Moody) -> None:
        self.ledger, self.forge, self.now = ledger, forge, 1000.0
        self._turned = threading.Event()
        self.posting = Posting(
            outbox=ledger.outbox,
            compose=lambda repository, sha: CommitStatus(repository=repository, sha=sha, checks=(), note=""),
            forge_of=lambda _repository: forge,
            clock=lambda: self.now,
            wake_self=self._turned.set,
        )
        ledger.outbox.mark(URL, SHA, at=self.now)

    def turn(self) -> float | None:
        """One turn, and the writers' work that it began. Gives when the next item is due."""
        self._turned.clear()
        self.posting.turn()
        assert self._turned.wait(30)
        return self.ledger.outbox.next_due_at()


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(*moods: Exception) -> Desk:
        desks.append(Desk(Ledger.open(str(tmp_path / "ledger.db")), Moody(*moods)))
        return desks[-1]

    yield make
    for desk in desks:
        desk.now = float("inf")  # there is no time left to post what is due
        desk.posting.close(1)
        desk.ledger.close()


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (UpstreamError("away"), 0.2),
        (UpstreamError("a limit", retry_after_s=90), 90),
        (UpstreamError("a strange limit", retry_after_s=1e9), 4000),
        (OperatorError("no permission"), 0.2),
        (NotYet("patience", retry_after_s=2), 2),
    ],
)
def test_it_is_tried_again_when_the_forge_says_or_soon(
    open_desk: Callable[..., Desk], error: Exception, pause_s: float
) -> None:
    desk = open_desk(error)
    assert desk.turn() == pytest.approx(desk.now + pause_s)
    desk.now += pause_s + 1
    assert desk.turn() is None
    assert [status.sha for status in desk.forge.posted] == [SHA]
    assert desk.posting.errors() == {}


def test_a_forge_that_stays_away_is_asked_less_and_less_often(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(*(UpstreamError("away") for _ in range(20)))
    pauses = []
    for _ in range(20):
        due_at = desk.turn()
        assert due_at is not None
        pauses.append(round(due_at - desk.now, 6))
        desk.now = due_at + 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == 300
    assert desk.turn() is None


def test_waiting_for_ones_turn_is_no_error(
    open_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    desk = open_desk(NotYet("patience", retry_after_s=2))
    desk.turn()
    assert desk.posting.errors() == {}
    assert caplog.text == ""


def test_what_is_wrong_is_told_until_it_is_right(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(OperatorError("acme-app is not installed"))
    desk.turn()
    assert desk.posting.errors() == {URL: "acme-app is not installed"}
    desk.now += 5
    desk.turn()
    assert desk.posting.errors() == {}
