"""What becomes of a delivery at `POST /hooks/FORGE`: checked, on disk, then answered. Called by `web`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.deliveries import from_github, from_hook
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.repository_settings import RepositorySettings, repository_address
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.forges import plain_git
from windlass_runner.forges.base import BadDelivery, BadSignature, DeliveryRefused, ParsedDelivery
from windlass_runner.forges.gitea import deliveries as gitea
from windlass_runner.forges.github import deliveries as github
from windlass_runner.forges.gitlab import deliveries as gitlab
from windlass_runner.ledger.inbox import Inbox
from windlass_runner.ledger.records import NewDelivery
from windlass_runner.web.app import Received, Reply

_Secrets = Mapping[SecretSource, str]
_Check = Callable[[Mapping[str, str], bytes, _Secrets], "_Taken | Reply"]
NOT_KEPT: Final[Reply] = (503, {"error": "the delivery could not be kept; send it again later"})


class _Deliveries(Protocol):
    """What reads the deliveries of one kind of forge."""

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]
    ) -> ParsedDelivery: ...

    def check_sender(self, headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> None: ...

    def is_known(self, kind: str) -> bool: ...


_HOSTED: Final[Mapping[str, _Deliveries]] = {"github": github, "gitea": gitea, "gitlab": gitlab}
FORGES: Final = ("git", *_HOSTED)
"""Whose deliveries are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A delivery that is to be kept before it is answered. `events`: how many, and commands, it holds."""

    delivery: NewDelivery
    events: int

    def reply(self, *, is_new: bool) -> Reply:
        return 202, {"delivery": self.delivery.id, "events": self.events, "known": not is_new}


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
        github_address: Callable[[int], str | None],
    ) -> None:
        """`github_address`: the watched repository that has GitHub's number, by what was asked so far."""
        self._github_address = github_address
        self._environ = environ
        self._inbox = inbox
        self._clock = clock
        self._wake = wake
        self._journal = Journal("webhooks")
        plain = [repository for repository in repositories if repository.forge == "git"]
        self._by_address = {repository.url: repository for repository in plain}
        self._by_name = {repository.name: repository for repository in plain}
        self._hosted = {found.url: found for found in repositories if found.forge != "git"}
        self._by_hosted_name = {(found.forge, found.name.lower()): found for found in repositories}
        self._by_number: dict[tuple[str, int], RepositorySettings] = {}
        """Of hosted repositories of which something was told: one that is renamed keeps its number."""
        self._sources = {
            forge: _sources(found for found in repositories if found.forge == forge) for forge in FORGES
        }

    def receive(self, forge: str, received: Sequence[Received]) -> list[Reply]:
        """Answer what one of the `FORGES` sent, each in its place; what is taken is kept in one go."""
        check = self._check_git if forge == "git" else partial(self._check_hosted, forge)
        secrets = self._read_secrets(forge)
        checked = [self._answered(check, item, secrets) for item in received]
        kept = iter(self._keep([item for item in checked if isinstance(item, _Taken)]))
        return [next(kept) if isinstance(item, _Taken) else item for item in checked]

    def _answered(self, check: _Check, received: Received, secrets: _Secrets) -> _Taken | Reply:
        try:
            return check(*received, secrets)
        except DeliveryRefused as error:
            self._journal.warning("webhook.refused", status=error.status, reason=error)
            return error.status, {"error": str(error)}

    def _check_git(self, headers: Mapping[str, str], body: bytes, secrets: _Secrets) -> _Taken | Reply:
        parsed = plain_git.parse_delivery(headers, body, secrets.values())
        repository = self._find(parsed.repository)
        if repository is None:
            self._journal.warning("webhook.unknown_repository", repository=parsed.repository)
            return 404, {"error": "that repository is not watched here"}
        if not _is_sole(own := _own(repository, secrets), secrets):
            plain_git.parse_delivery(headers, body, [own])
        names = [parsed.id, *(name for event in parsed.events for name in (event.ref or "", event.actor))]
        if not all(map(str.isprintable, names)):
            raise BadDelivery("names of deliveries, refs and people must be printable text")
        if not parsed.events:
            return 202, {"delivery": parsed.id, "events": 0}
        delivery = from_hook(parsed, repository=repository.url, forge="git")
        return _Taken(delivery=delivery, events=len(parsed.events))

    def _check_hosted(
        self, forge: str, headers: Mapping[str, str], body: bytes, secrets: _Secrets
    ) -> _Taken | Reply:
        """A repository that is not watched is no failure: an App, or an organisation's webhook, is told of
        all that it reaches, and what fails is sent again."""
        deliveries = _HOSTED[forge]
        parsed = deliveries.parse_delivery(headers, body, secrets.values())
        told = {"kind": parsed.kind, "repository": parsed.repository}
        repository = self._find_hosted(forge, parsed)
        if repository is None:
            self._journal.info("webhook.not_watched", **told)
            return 202, {"delivery": parsed.id, "events": 0, "watched": False}
        if not _is_sole(own := _own(repository, secrets), secrets):
            deliveries.check_sender(headers, body, [own])
        if parsed.number is not None:
            self._by_number[forge, parsed.number] = repository
        if not deliveries.is_known(parsed.kind):
            self._journal.info("webhook.unknown_kind", **told)
        found = len(parsed.events) + len(parsed.commands)
        if not found:
            return 202, {"delivery": parsed.id, "events": 0}
        if forge == "github":
            return _Taken(
                delivery=from_github(parsed, headers, body, repository=repository.url), events=found
            )
        return _Taken(delivery=from_hook(parsed, repository=repository.url, forge=forge), events=found)

    def _keep(self, taken: Sequence[_Taken]) -> list[Reply]:
        if not taken:
            return []
        try:
            added = self._inbox.put_all([one.delivery for one in taken], at=self._clock())
        except (OperatorError, UpstreamError) as error:
            if len(taken) > 1:  # one that is too large for the disk does not fail the others
                return [reply for one in taken for reply in self._keep([one])]
            self._journal.warning("webhook.not_kept", reason=error)
            return [NOT_KEPT]
        self._wake()
        return [one.reply(is_new=is_new) for one, is_new in zip(taken, added, strict=True)]

    def _read_secrets(self, forge: str) -> _Secrets:
        """The secrets as they are now: files may be replaced while we run."""
        read = ((source, source.read(self._environ)) for source in self._sources[forge])
        return {source: value for source, value in read if value}

    def _find_hosted(self, forge: str, parsed: ParsedDelivery) -> RepositorySettings | None:
        """The repository by the name that it has in the settings; else, for it may be renamed since, by its
        number."""
        named = self._by_hosted_name.get((forge, parsed.repository.lower()))
        if named is not None or parsed.number is None:
            return named
        known = self._by_number.get((forge, parsed.number))
        if known is not None or forge != "github":
            return known
        return self._hosted.get(self._github_address(parsed.number) or "")

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


def _own(repository: RepositorySettings, secrets: _Secrets) -> str:
    """The secret with which its deliveries must be signed: a neighbour's does not do."""
    own = secrets.get(repository.webhook_secret) if repository.webhook_secret is not None else None
    if own is None:
        raise BadSignature("the repository has no webhook_secret")
    return own


def _is_sole(own: str, secrets: _Secrets) -> bool:
    """Whether there is no neighbour's: what was signed at all is signed with this one."""
    return all(secret == own for secret in secrets.values())


def _sources(repositories: Iterable[RepositorySettings]) -> frozenset[SecretSource]:
    found = (repository.webhook_secret for repository in repositories)
    return frozenset(source for source in found if source is not None)
