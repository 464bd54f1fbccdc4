"""When the daemon looks for newer releases of samples."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.sample_updates import PAUSE_S, ROUND_S, SampleUpdates
from windlass_runner.ledger.sample_offers import SampleOffer

OFFER = SampleOffer(
    repository="a", name="fit", version="1.1.0", sample="fit", old_version="1.0.0", branch="b", at=0.0
)


@dataclass
class Scripted:
    """Gives or raises what is due; notes who was asked, and when."""

    answers: list[SampleOffer | Exception | None] = field(default_factory=list)
    now: float = 0.0
    asked: list[tuple[str, float]] = field(default_factory=list)

    def offer_next(self, settings: RepositorySettings) -> SampleOffer | None:
        self.asked.append((settings.url, self.now))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def updates(offering: Scripted, **modes: str) -> SampleUpdates:
    repositories = [
        RepositorySettings(url=name, name=name, sample_updates=mode) for name, mode in modes.items()
    ]
    return SampleUpdates(
        repositories=repositories, offering=offering, monotonic=lambda: offering.now, first_after_s=5.0
    )


def run(found: SampleUpdates, offering: Scripted, *, until: float) -> None:
    while (pause := found.turn()) is not None and offering.now + pause <= until:
        offering.now += pause


def test_every_repository_is_looked_at_once_an_hour_one_after_the_other() -> None:
    offering = Scripted()
    run(updates(offering, a="branch", b="pull-request", c="off"), offering, until=ROUND_S + 70)
    assert offering.asked == [("a", 5.0), ("b", 65.0), ("a", ROUND_S + 5), ("b", ROUND_S + 65)]


def test_the_first_looks_at_many_repositories_are_spread_over_an_hour() -> None:
    offering = Scripted()
    run(updates(offering, **{f"r{number}": "branch" for number in range(1000)}), offering, until=ROUND_S + 4)
    assert len({url for url, _ in offering.asked}) == 1000
    assert {round(later - at, 3) for (_, at), (_, later) in itertools.pairwise(offering.asked)} == {3.6}


def test_behind_an_offer_comes_a_pause_and_then_the_next_one() -> None:
    offering = Scripted(answers=[OFFER, OFFER, None])
    run(updates(offering, a="branch"), offering, until=100)
    assert offering.asked == [("a", 5.0), ("a", 5 + PAUSE_S), ("a", 5 + 2 * PAUSE_S)]


def test_a_trouble_is_told_and_tried_again_ever_more_seldom() -> None:
    offering = Scripted(answers=[OperatorError("not allowed")] * 3)
    found = updates(offering, a="branch")
    run(found, offering, until=200)
    assert found.troubles() == {"a": "not allowed"}
    run(found, offering, until=500)
    assert [at for _, at in offering.asked] == [5.0, 65.0, 185.0, 425.0]
    assert found.troubles() == {}


def test_nobody_who_wants_it_is_nothing_to_wait_for() -> None:
    assert updates(Scripted(), a="off").turn() is None
