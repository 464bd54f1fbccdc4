"""Events and commands on their way through the inbox: what hooks told and what the poller saw, in one form.
Pure.

What GitHub sends lies there as it came, and is read again by whoever takes it: to write its events down
would take longer than all the rest of taking it in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from windlass_runner.forges.base import Command, ParsedDelivery
from windlass_runner.forges.github.deliveries import KEPT_HEADERS, read_delivery
from windlass_runner.ledger.records import Delivery, NewDelivery
from windlass_runner.workflow.events import Event

GITHUB: Final = "github"


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


def from_hook(parsed: ParsedDelivery, *, repository: str, forge: str) -> NewDelivery:
    """What a hook told, its signature checked, for the inbox. `repository` is its address as the settings
    have it: a hook may name it in another way, and one push must have one name."""
    renamed = _renamed(parsed, repository)
    return NewDelivery(
        id=parsed.id,
        forge=forge,
        repository=repository,
        kind=parsed.kind,
        headers={},
        body=_body(renamed.events, renamed.commands, None),
    )


def from_github(
    parsed: ParsedDelivery, headers: Mapping[str, str], body: bytes, *, repository: str
) -> NewDelivery:
    """What GitHub sent, its signature checked, for the inbox. `repository` as for :func:`from_hook`."""
    return NewDelivery(
        id=parsed.id,
        forge=GITHUB,
        repository=repository,
        kind=parsed.kind,
        headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
        body=body,
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


def observed_pull_request(event: Event, *, at: float, what: str = "") -> NewDelivery:
    """A pull request's new commit, or `what` else is new of it, seen in a reading that began at `at`, for the
    inbox."""
    return NewDelivery(
        id=f"poll:{event.repository}:{event.ref}:{at!r}" + (f":{what}" if what else ""),
        forge="poll",
        repository=event.repository,
        kind=event.kind,
        headers={},
        body=_body((event,), (), at),
    )


def observed_comment(id: int, commands: Sequence[Command], *, repository: str) -> NewDelivery:
    """What a comment asks for that was read, for the inbox. `id`: the forge's number of the comment."""
    told = [replace(command, repository=repository) for command in commands]
    return NewDelivery(
        id=f"comment:{repository}:{id}",
        forge="poll",
        repository=repository,
        kind="issue_comment",
        headers={},
        body=_body((), told, None),
    )


def read_news(delivery: Delivery) -> News:
    """What lies in the inbox, as events again. Raises BadDelivery where this version cannot read it."""
    if delivery.forge == GITHUB:
        parsed = _renamed(read_delivery(delivery.headers, delivery.body), delivery.repository)
        return _news(delivery, parsed.events, parsed.commands)
    data = json.loads(delivery.body)
    return _news(
        delivery,
        tuple(Event.from_json(event) for event in data["events"]),
        tuple(Command(**command) for command in data["commands"]),
        observed_at=data["observed_at"],
    )


def _news(
    delivery: Delivery,
    events: tuple[Event, ...],
    commands: tuple[Command, ...],
    *,
    observed_at: float | None = None,
) -> News:
    return News(
        id=delivery.id,
        repository=delivery.repository,
        events=events,
        commands=commands,
        observed_at=observed_at,
        received_at=delivery.received_at,
        tries=delivery.tries,
    )


def _renamed(parsed: ParsedDelivery, repository: str) -> ParsedDelivery:
    """The same about the repository by its address."""
    return replace(
        parsed,
        events=tuple(replace(event, repository=repository) for event in parsed.events),
        commands=tuple(replace(command, repository=repository) for command in parsed.commands),
    )


def _body(events: Sequence[Event], commands: Sequence[Command], observed_at: float | None) -> bytes:
    data = {
        "events": [event.to_json() for event in events],
        "commands": [asdict(command) for command in commands],
        "observed_at": observed_at,
    }
    return json.dumps(data).encode()
