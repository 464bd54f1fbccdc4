"""Releases of samples that were offered, as the ledger keeps them."""

from __future__ import annotations

from dataclasses import replace

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.sample_offers import SampleOffer

OFFER = SampleOffer(
    repository="file:///digits",
    name="fit",
    version="1.1.0",
    sample="acme/fit",
    old_version="1.0.0",
    branch="windlass/update-fit-v1.1.0",
    at=5.0,
)


def test_an_offer_is_known_from_its_first_step_to_its_last(ledger: Ledger) -> None:
    offers = ledger.sample_offers
    assert offers.get("file:///digits", "fit", "1.1.0") is None
    offers.begin(OFFER)
    offers.begin(replace(OFFER, name="other"))
    offers.note_commit(OFFER, "a" * 40)
    offers.conclude(OFFER, "offered", page="https://git.example.org/1", note="two\x00parts")
    found = offers.get("file:///digits", "fit", "1.1.0")
    assert found == replace(
        OFFER, sha="a" * 40, state="offered", page="https://git.example.org/1", note="two\ufffdparts"
    )
    assert [offer.name for offer in offers.of("file:///digits")] == ["fit", "other"]
    assert offers.of("file:///elsewhere") == ()
