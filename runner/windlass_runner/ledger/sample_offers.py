"""Which releases of samples were offered to which subscription: each once, so that no is no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, insert, select, update

from windlass_runner.ledger.sample_offer_tables import sample_offers
from windlass_runner.ledger.store import Store
from windlass_runner.ledger.texts import storable

OfferState = Literal["making", "offered", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOffer:
    """One release for one subscription of a repository. `at`: when it was begun, in seconds since 1970."""

    repository: str
    name: str
    """The subscription's."""
    version: str
    sample: str
    old_version: str
    branch: str
    sha: str = ""
    """The commit on the branch; '' until it is made."""
    state: OfferState = "making"
    """`left`: only a person can take that release, and `note` says why."""
    page: str = ""
    note: str = ""
    at: float


class SampleOffers:
    """What was offered, or is being offered."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, repository: str | None = None) -> tuple[SampleOffer, ...]:
        """All of them, of that repository; the newest first."""
        query = select(sample_offers).order_by(sample_offers.c.at.desc(), sample_offers.c.name)
        if repository is not None:
            query = query.where(sample_offers.c.repository == repository)
        return tuple(SampleOffer(**row) for row in self._store.rows(query))

    def get(self, repository: str, name: str, version: str) -> SampleOffer | None:
        """What is known of that release."""
        found = self._store.rows(select(sample_offers).where(*_key(repository, name, version)))
        return next((SampleOffer(**row) for row in found), None)

    def is_unseen(self, repository: str, branch: str | None, sha: str) -> bool:
        """Whether a branch stands as we made it: nobody has looked at what its publisher wrote."""
        columns = sample_offers.c
        same = (columns.repository == repository, columns.branch == (branch or ""), columns.sha == sha)
        return bool(self._store.rows(select(columns.name).where(*same)))

    def begin(self, offer: SampleOffer) -> None:
        """Note it before anything of it is seen outside."""
        values = {name: getattr(offer, name) for name in SampleOffer.__slots__}
        texts = {name: storable(value) for name, value in values.items() if isinstance(value, str)}
        with self._store.write() as connection:
            connection.execute(insert(sample_offers).values({**values, **texts}))

    def note_commit(self, offer: SampleOffer, sha: str) -> None:
        """The commit is made; it is pushed next."""
        self._change(offer, sha=sha)

    def conclude(self, offer: SampleOffer, state: OfferState, *, page: str = "", note: str = "") -> None:
        """It is where people see it, or left to them."""
        self._change(offer, state=state, page=page, note=note)

    def _change(self, offer: SampleOffer, **values: str) -> None:
        key = _key(offer.repository, offer.name, offer.version)
        stored = {name: storable(value) for name, value in values.items()}
        with self._store.write() as connection:
            connection.execute(update(sample_offers).where(*key).values(**stored))


def _key(repository: str, name: str, version: str) -> list[ColumnElement[bool]]:
    columns = sample_offers.c
    return [columns.repository == repository, columns.name == name, columns.version == version]
