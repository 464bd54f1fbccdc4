"""What becomes of a delivery at `POST /hooks/FORGE`: checked, on disk, then answered. Called by `web`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.deliveries import from_github, from_hook
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.settings import RepositorySettings, repository_address
from windlass_runner.forges import plain_git
from windlass_runner.forges.base import BadDelivery, BadSignature, DeliveryRefused, ParsedDelivery
from windlass_runner.forges.github import deliveries as github
from windlass_runner.forges.signatures import check_signature
from windlass_runner.ledger.inbox import Inbox
from windlass_runner.ledger.records import NewDelivery

Reply = tuple[int, dict[str, Any]]
"""An HTTP status and a JSON body."""
FORGES: Final = ("git", "github")
"""Whose deliveries are taken."""


class Webhooks:
    """Takes deliveries of the watched repositories. Safe to use from several threads."""

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
        plain = [repository for repository in repositories if repository.forge == "git"]
        on_github = [repository for repository in repositories if repository.forge == "github"]
        self._by_address = {repository.url: repository for repository in plain}
        self._by_name = {repository.name: repository for repository in plain}
        self._on_github = {repository.name.lower(): repository for repository in on_github}
        self._git_sources = _sources(plain)
        self._github_sources = _sources(on_github)

    def receive(self, forge: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer what one of the `FORGES` sent; `headers` have lower-case names."""
        try:
            return self._take_github(headers, body) if forge == "github" else self._take_git(headers, body)
        except DeliveryRefused as error:
            self._journal.warning("webhook.refused", status=error.status, reason=error)
            return error.status, {"error": str(error)}
        except (OperatorError, UpstreamError) as error:
            self._journal.warning("webhook.not_kept", reason=error)
            return 503, {"error": "the delivery could not be kept; send it again later"}

    def _take_git(self, headers: Mapping[str, str], body: bytes) -> Reply:
        parsed = plain_git.parse_delivery(headers, body, self._values(self._git_sources))
        repository = self._find(parsed.repository)
        if repository is None:
            self._journal.warning("webhook.unknown_repository", repository=parsed.repository)
            return 404, {"error": "that repository is not watched here"}
        plain_git.parse_delivery(headers, body, self._own(repository))  # not only with a neighbour's
        names = [parsed.id, *(name for event in parsed.events for name in (event.ref or "", event.actor))]
        if not all(map(str.isprintable, names)):
            raise BadDelivery("names of deliveries, refs and people must be printable text")
        if not parsed.events:
            return 202, {"delivery": parsed.id, "events": 0}
        return self._kept(parsed, from_hook(parsed, repository=repository.url))

    def _take_github(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """A repository that is not watched is no failure: an App is told of all that it is installed on,
        and what fails is sent again."""
        parsed = github.parse_delivery(headers, body, self._values(self._github_sources))
        told = {"kind": parsed.kind, "repository": parsed.repository}
        repository = self._on_github.get(parsed.repository.lower())
        if repository is None:
            self._journal.info("webhook.not_watched", **told)
            return 202, {"delivery": parsed.id, "events": 0, "watched": False}
        check_signature(headers.get(github.SIGNATURE_HEADER), body, self._own(repository))
        if not github.is_known(parsed.kind):
            self._journal.info("webhook.unknown_kind", **told)
        if not parsed.events and not parsed.commands:
            return 202, {"delivery": parsed.id, "events": 0}
        return self._kept(parsed, from_github(parsed, headers, body, repository=repository.url))

    def _kept(self, parsed: ParsedDelivery, delivery: NewDelivery) -> Reply:
        is_new = self._inbox.put(delivery, at=self._clock())
        self._wake()
        found = len(parsed.events) + len(parsed.commands)
        return 202, {"delivery": parsed.id, "events": found, "known": not is_new}

    def _own(self, repository: RepositorySettings) -> frozenset[str]:
        """The secret with which its deliveries must be signed: a neighbour's does not do."""
        own = self._values(_sources([repository]))
        if not own:
            raise BadSignature("the repository has no webhook_secret")
        return own

    def _values(self, sources: frozenset[SecretSource]) -> frozenset[str]:
        """The secrets as they are now: files may be replaced while we run."""
        return frozenset(value for source in sources if (value := source.read(self._environ)))

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


def _sources(repositories: Iterable[RepositorySettings]) -> frozenset[SecretSource]:
    found = (repository.webhook_secret for repository in repositories)
    return frozenset(source for source in found if source is not None)
