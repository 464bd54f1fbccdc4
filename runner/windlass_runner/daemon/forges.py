"""Which forge serves a watched repository, opened from the settings. Used by `daemon.wiring`.

What speaks to a forge is imported only where a repository of it is watched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.credentials import Credentials
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.settings import Settings
from windlass_runner.daemon.status import ChecksShown
from windlass_runner.forges.base import Asked, Forge, Proposing
from windlass_runner.forges.git_login import Login, is_same_host
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import Links

if TYPE_CHECKING:
    from windlass_runner.forges.github.forge import Account, GitHub

_GITHUB: Final = "https://api.github.com"
_GITLAB: Final = "https://gitlab.com/api/v4"


class Hosted(Forge, Asked, Proposing, Protocol):
    """A forge that shows checks on commits, and knows people and pull requests."""


class Forges:
    """The forges of all watched repositories, by their addresses. Safe to use from several threads."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = {found.url: found for found in settings.repositories}
        self._github = _open_github(settings, environ)
        self._hosted: dict[str, Hosted] = dict(_open_others(settings, environ))
        self._git_tokens = dict(_git_tokens(settings, environ))
        if self._github is not None:
            of_github = (found.url for found in settings.repositories if found.forge == "github")
            self._hosted |= dict.fromkeys(of_github, self._github)

    def of(self, repository: str, *, plain: Forge) -> Forge:
        """Where the repository's status is posted; `plain` where it has no forge."""
        return self._hosted.get(repository, plain)

    def checks(self, repository: str, storage: Storage, links: Links | None) -> ChecksShown | None:
        """What the repository's forge shows of a commit beside the note; None: only the note."""
        if repository not in self._hosted:
            return None
        found = self._settings[repository]
        return ChecksShown(
            storage=storage,
            links=links,
            each_job=found.checks_per == "job",
            skipped_passes=found.skipped == "success",
            comments=found.comment,
        )

    def asked(self, repository: str) -> Asked:
        """Who knows the people and pull requests of a repository. Raises OperatorError: nobody does."""
        if repository not in self._hosted:
            raise OperatorError(f"{repository} has no forge that could be asked", remedy="set its `forge`")
        return self._hosted[repository]

    def proposing(self, repository: str) -> Proposing | None:
        """Where a pull request in a repository is opened; None where it has no forge."""
        return self._hosted.get(repository)

    @property
    def github(self) -> GitHub | None:
        """GitHub, where a repository on it is watched."""
        return self._github

    def git_login(self, url: str) -> Login | None:
        """What opens a repository's address to git; None: git's own means.

        A token goes to the host of its API alone.

        Raises:
            UpstreamError, OperatorError: there is to be something, and it cannot be had.
        """
        token = self._git_tokens.get(url)
        if token is not None:
            return Login(user="oauth2", password=token())
        return self._github.git_login(url) if self._github is not None else None


def _open_github(settings: Settings, environ: Mapping[str, str]) -> GitHub | None:
    repositories = [found for found in settings.repositories if found.forge == "github"]
    if not repositories:
        return None
    from windlass_runner.forges.github.forge import GitHub, HostedRepository

    accounts = {name: _account(found, environ) for name, found in settings.credentials.items()}
    hosted = [
        HostedRepository(url=found.url, name=found.name, account=accounts[found.credentials or ""])
        for found in repositories
    ]
    return GitHub(hosted, clock=time.time, wait=threading.Event().wait)


def _open_others(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, Hosted]]:
    """Gitea and GitLab: one client for each server and token."""
    names = {found.url: found.name for found in settings.repositories}
    opened: dict[tuple[str, str], Hosted] = {}
    for found in settings.repositories:
        if found.forge not in ("gitea", "gitlab"):
            continue
        key = (found.forge, found.credentials or "")
        if key not in opened:
            opened[key] = _open_other(found.forge, settings.credentials[key[1]], environ, names)
        yield found.url, opened[key]


def _git_tokens(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], str]]]:
    """What opens repositories on Gitea and GitLab to git, by their addresses."""
    for found in settings.repositories:
        if found.forge in ("gitea", "gitlab"):
            credentials = settings.credentials[found.credentials or ""]
            if is_same_host(found.url, credentials.api_url or _GITLAB):
                yield found.url, _required(credentials, environ)


def _open_other(
    forge: str, credentials: Credentials, environ: Mapping[str, str], names: Mapping[str, str]
) -> Hosted:
    token = _required(credentials, environ)
    if forge == "gitea":
        from windlass_runner.forges.gitea.forge import Gitea

        return Gitea(api_url=credentials.api_url or "", token=token, name_of=names.__getitem__)
    from windlass_runner.forges.gitlab.forge import GitLab

    return GitLab(api_url=credentials.api_url or _GITLAB, token=token, name_of=names.__getitem__)


def _required(credentials: Credentials, environ: Mapping[str, str]) -> Callable[[], str]:
    read = _reader(credentials.token, environ)

    def token() -> str:
        found = read()
        if not found or not (found.isascii() and found.isprintable()):
            raise OperatorError(f"there is no token in {credentials.token}", remedy="put it there, alone")
        return found

    return token


def _account(found: Credentials, environ: Mapping[str, str]) -> Account:
    from windlass_runner.forges.github.forge import Account

    return Account(
        name=found.name,
        api_url=found.api_url or _GITHUB,
        read_token=_reader(found.token, environ),
        app_id=found.app_id,
        read_key=_reader(found.private_key, environ),
        installation=found.installation_id,
    )


def _reader(source: SecretSource | None, environ: Mapping[str, str]) -> Callable[[], str | None]:
    return lambda: source.read(environ) if source is not None else None
