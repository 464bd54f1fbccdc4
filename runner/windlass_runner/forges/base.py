"""What hosts git repositories for people: the contract of `plain_git`, and later of GitHub and its like.

A forge turns deliveries (webhooks as received) into neutral events, without I/O, and posts a
commit's status where its people look for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from windlass_registry.errors import WindlassError
from windlass_runner.workflow.events import Event


class DeliveryRefused(WindlassError):
    """A delivery that is not taken. `status` is the HTTP status that says why."""

    status = 400


class BadSignature(DeliveryRefused):
    """Nobody who knows the secret sent this. Nothing of it may be stored."""

    status = 401


class BadDelivery(DeliveryRefused):
    """Signed, but not what this forge sends: cut off, not JSON, a key missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDelivery:
    """What a delivery says. `id` is unique to it, so that the same one sent again is known."""

    id: str
    kind: str
    repository: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNote:
    """The status of one commit, as one JSON document."""

    repository: str
    sha: str
    text: str


class Forge(Protocol):
    """One kind of forge. Safe to use from several threads; one `post` per repository at a time."""

    @property
    def name(self) -> str: ...

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery:
        """Check the signature with the secrets (any one may have made it), then read. No I/O.

        `headers` have lower-case names.

        Raises:
            BadSignature: before anything of the body is looked at.
            BadDelivery: it cannot be read.
        """
        ...

    def post(self, note: StatusNote) -> None:
        """Put the status on the commit in place of the one there. Idempotent.

        Raises:
            UpstreamError, OperatorError
        """
        ...
