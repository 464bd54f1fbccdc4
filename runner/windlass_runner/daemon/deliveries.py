"""Events and commands on their way through the inbox: what a hook told and what the poller saw, in one
form. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from windlass_runner.forges.base import Command, ParsedDelivery
from windlass_runner.ledger.records import Delivery, NewDelivery
from windlass_runner.workflow.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Events of one repository. `observed_at` is set where the poller saw states and no moves: the
    moment at which its reading began."""

    id: str
    repository: str
    events: tuple[Event, ...]
    commands: tuple[Command, ...]
    observed_at: float | None
    received_at: float
    tries: int


def to_delivery(parsed: ParsedDelivery, *, repository: str, forge: str) -> NewDelivery:
    """A hook's delivery, its signature checked, for the inbox. `repository` is its address as the
    settings have it: a hook may name it in another way, and one push must have one name."""
    events = [replace(event, repository=repository) for event in parsed.events]
    commands = [replace(command, repository=repository) for command in parsed.commands]
    return NewDelivery(
        id=parsed.id,
        forge=forge,
        repository=repository,
        kind=parsed.kind,
        headers={},
        body=_body(events, commands, None),
    )


def observed(repository: str, events: Sequence[Event], *, at: float) -> NewDelivery:
    """What the poller saw in a reading that began at `at`, for the inbox."""
    return NewDelivery(
        id=f"poll:{repository}:{at!r}",
        forge="poll",
        repository=repository,
        kind="push",
        headers={},
        body=_body(events, (), at),
    )


def read_news(delivery: Delivery) -> News:
    """What lies in the inbox, as events again."""
    data = json.loads(delivery.body)
    return News(
        id=delivery.id,
        repository=delivery.repository,
        events=tuple(Event.from_json(event) for event in data["events"]),
        commands=tuple(Command(**command) for command in data["commands"]),
        observed_at=data["observed_at"],
        received_at=delivery.received_at,
        tries=delivery.tries,
    )


def _body(events: Sequence[Event], commands: Sequence[Command], observed_at: float | None) -> bytes:
    data = {
        "events": [event.to_json() for event in events],
        "commands": [asdict(command) for command in commands],
        "observed_at": observed_at,
    }
    return json.dumps(data).encode()
