"""What becomes of a delivery at `POST /hooks/git`: checked, on disk, then answered. Called by `web`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.deliveries import to_delivery
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.settings import RepositorySettings, repository_address
from windlass_runner.forges.base import BadDelivery, BadSignature, DeliveryRefused
from windlass_runner.forges.plain_git import parse_delivery
from windlass_runner.ledger.inbox import Inbox

Reply = tuple[int, dict[str, Any]]
"""An HTTP status and a JSON body."""


class Webhooks:
    """Takes deliveries of plain git repositories. Safe to use from several threads."""

    def __init__(
        self,
        *,
        repositories: tuple[RepositorySettings, ...],
        environ: Mapping[str, str],
        inbox: Inbox,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._environ = environ
        self._inbox = inbox
        self._clock = clock
        self._wake = wake
        self._journal = Journal("webhooks")
        self._by_address = {repository.url: repository for repository in repositories}
        self._by_name = {repository.name: repository for repository in repositories}
        sources = (repository.webhook_secret for repository in repositories if repository.forge == "git")
        self._sources = frozenset(source for source in sources if source is not None)

    def receive_git(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one delivery; `headers` have lower-case names."""
        try:
            return self._take(headers, body)
        except DeliveryRefused as error:
            self._journal.warning("webhook.refused", status=error.status, reason=error)
            return error.status, {"error": str(error)}
        except (OperatorError, UpstreamError) as error:
            self._journal.warning("webhook.not_kept", reason=error)
            return 503, {"error": "the delivery could not be kept; send it again later"}

    def _take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        secrets = {value for source in self._sources if (value := source.read(self._environ))}
        parsed = parse_delivery(headers, body, secrets)
        repository = self._find(parsed.repository)
        if repository is None or repository.forge != "git":
            self._journal.warning("webhook.unknown_repository", repository=parsed.repository)
            return 404, {"error": "that repository is not watched here"}
        source = repository.webhook_secret
        own = source.read(self._environ) if source is not None else None
        if own is None:
            raise BadSignature("the repository has no webhook_secret")
        parse_delivery(headers, body, (own,))  # signed with this repository's own, not a neighbour's
        names = [parsed.id, *(name for event in parsed.events for name in (event.ref or "", event.actor))]
        if not all(map(str.isprintable, names)):
            raise BadDelivery("names of deliveries, refs and people must be printable text")
        if not parsed.events:
            return 202, {"delivery": parsed.id, "events": 0}
        is_new = self._inbox.put(
            to_delivery(parsed, repository=repository.url, forge="git"), at=self._clock()
        )
        self._wake()
        return 202, {"delivery": parsed.id, "events": len(parsed.events), "known": not is_new}

    def _find(self, told: str) -> RepositorySettings | None:
        """The repository that a hook means by its address, path or name."""
        if told in self._by_name:
            return self._by_name[told]
        try:
            address = repository_address(told, Path("/"))
        except ValueError:
            return None
        stem = address.removesuffix(".git")
        candidates = (address, stem, f"{stem}.git", f"{address}/.git")
        return next((self._by_address[name] for name in candidates if name in self._by_address), None)
