"""What else only webhooks tell of pull requests on GitHub, read where there are none: comments, and labels
that come and go. Used by `daemon.reconciling`.

When a pull request was updated tells the list of them, which is read anyway: only of those that were,
comments are asked for. What was read last lies in the ledger with the other observations.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from windlass_runner.daemon.deliveries import observed_comment, observed_pull_request
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import NewDelivery
from windlass_runner.workflow.events import NO_COMMIT, Event

if TYPE_CHECKING:
    from windlass_runner.forges.github.forge import GitHub
    from windlass_runner.forges.github.people import PullRequests

_KNOWN_MARK: Final = "windlass/known"
"""Observed of every repository that was read once."""
_LONGEST_AGO_S: Final = 24 * 3600.0
"""Older comments are not taken: who asked for that does not wait for it any more."""
Observed = dict[str, str]
"""Of each pull request, by its ref, what was seen of it, as JSON: `updated_at`, the names of the `labels`,
and `since` when comments are new."""


class Unheard:
    """Of one repository. Used from one thread."""

    def __init__(
        self, settings: RepositorySettings, *, github: GitHub, ledger: Ledger, clock: Callable[[], float]
    ) -> None:
        self._url = settings.url
        self._github = github
        self._ledger = ledger
        self._clock = clock
        self._observed = f"{settings.url}#talk"

    def read(self, pulls: PullRequests) -> tuple[list[NewDelivery], Observed]:
        """What is new of these pull requests, and what to `note` once that is kept. What is there when a
        repository is first read is not new."""
        at = self._clock()
        last: Observed = self._ledger.refs.observed(self._observed)
        open_ones = {event.ref for event in pulls.events}
        seen = {ref: known for ref, known in last.items() if ref in open_ones or not pulls.is_whole}
        news: list[NewDelivery] = []
        for event in pulls.events:
            ref, now = event.ref or "", _seen(event)
            before = json.loads(last[ref]) if ref in last else None
            if now is None or (before is not None and now.items() <= before.items()):
                continue
            is_new = _KNOWN_MARK not in last
            seen[ref] = json.dumps(
                {**now, "since": _next(now["updated_at"]) if is_new else now["updated_at"]}
            )
            if before is not None:
                news += self._labels(event, before["labels"], now["labels"], at=at)
            if not is_new:
                since = _created_at(event) if before is None else before["since"]
                news += self._comments(event, since=max(since, _stamp(at - _LONGEST_AGO_S)))
        return news, {**seen, _KNOWN_MARK: NO_COMMIT}

    def note(self, seen: Observed, *, at: float) -> None:
        """Take this as read. In the transaction in which what is new is kept."""
        self._ledger.refs.observe(self._observed, seen, at=at)

    def _labels(self, event: Event, before: list[str], now: list[str], *, at: float) -> Iterator[NewDelivery]:
        whole = {label["name"]: label for label in _labels(event)}
        changes = [("labeled", name) for name in now if name not in before]
        changes += [("unlabeled", name) for name in before if name not in now]
        for action, name in changes:
            label = whole.get(name, {"name": name})
            payload = {**event.payload, "action": action, "label": label}
            told = replace(event, action=action, payload=payload)
            yield observed_pull_request(told, at=at, what=f"{action}:{name}")

    def _comments(self, event: Event, *, since: str) -> Iterator[NewDelivery]:
        for id, commands in self._github.fetch_comments(self._url, event.number or 0, since=since):
            yield observed_comment(id, commands, repository=self._url)


def _stamp(at: float) -> str:
    """A time as GitHub writes it: such texts compare as the times do."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _next(stamp: str) -> str:
    """The second after it: the comment that updated a pull request last is written at the same one."""
    try:
        return _stamp(datetime.fromisoformat(stamp).timestamp() + 1)
    except ValueError:
        return stamp


def _seen(event: Event) -> dict[str, Any] | None:
    """What of a pull request tells that something may be new; None where GitHub does not say."""
    pull = event.payload.get("pull_request")
    if not isinstance(pull, Mapping) or not isinstance(updated_at := pull.get("updated_at"), str):
        return None
    return {"updated_at": updated_at, "labels": sorted(label["name"] for label in _labels(event))}


def _labels(event: Event) -> list[Mapping[str, Any]]:
    found = event.payload["pull_request"].get("labels")
    labels = found if isinstance(found, list) else []
    return [one for one in labels if isinstance(one, Mapping) and isinstance(one.get("name"), str)]


def _created_at(event: Event) -> str:
    return str(event.payload["pull_request"].get("created_at") or "")
