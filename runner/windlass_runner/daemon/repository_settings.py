"""`[[repository]]`: what the daemon watches, and on which forge it lies. Used by `daemon.settings`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from windlass_registry.near_words import did_you_mean
from windlass_runner.daemon.credentials import Credentials
from windlass_runner.daemon.secret_sources import SecretSource, read_secret_source
from windlass_runner.daemon.toml_reader import Section

_FORGES: Final = ("git", "github", "gitea", "gitlab")
_HOSTED_NAMES: Final = {
    "github": re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+\Z"),
    "gitea": re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+\Z"),
    "gitlab": re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+\Z"),
}
"""How a repository is named on forges that have one of their own."""
_TITLES: Final = {"github": "GitHub", "gitea": "Gitea", "gitlab": "GitLab"}
_CHECKS_PER: Final = ("workflow", "job")
_SKIPPED: Final = ("skipped", "success")
_SAMPLE_UPDATES: Final = ("pull-request", "branch", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySettings:
    """One watched repository. `poll_s` 0: webhooks only. `name` is `owner/name` on GitHub."""

    url: str
    name: str
    poll_s: float = 2.0
    forge: str = "git"
    credentials: str | None = None
    webhook_secret: SecretSource | None = None
    checks_per: str = "workflow"
    """Whether a forge shows a check for each `workflow` alone, or beside it one for each `job`."""
    skipped: str = "skipped"
    """How the check of a workflow that path filters keep from running concludes: `skipped` or `success`."""
    comment: bool = False
    """Whether a comment on each pull request (of GitHub) tells how its newest commit stands."""
    sample_updates: str = "pull-request"
    """How newer releases of samples that it is subscribed to are offered: `pull-request` (where there is no
    forge, a branch alone), `branch` or `off`."""
    run_existing: bool = False
    """Whether what stands on the branches when the repository is first seen is run."""


def read_repositories(
    root: Section, folder: Path, credentials: Mapping[str, Credentials]
) -> tuple[RepositorySettings, ...]:
    """All of them, in the order of the file. What is wrong is noted in the sections."""
    found: dict[str, RepositorySettings] = {}
    for section in root.tables("repository"):
        repository = _repository(section, folder, credentials)
        if repository is None:
            continue
        if repository.url in found:
            section.error("url", f"the repository {repository.url} is named twice", "keep one of the two")
        elif any(repository.name == other.name for other in found.values()):
            section.error(
                None, f"two repositories have the name '{repository.name}'", "give one of them another `name`"
            )
        found[repository.url] = repository
    return tuple(found.values())


def _repository(
    section: Section, folder: Path, credentials: Mapping[str, Credentials]
) -> RepositorySettings | None:
    url = section.text("url")
    name = section.text("name")
    poll_s = section.number("poll_s", least=0)
    forge = section.choice("forge", _FORGES)
    account = section.text("credentials")
    secret = read_secret_source(section, "webhook_secret", folder)
    checks_per = section.choice("checks_per", _CHECKS_PER)
    skipped = section.choice("skipped", _SKIPPED)
    comment = section.flag("comment")
    if comment and forge != "github":
        section.error("comment", "comments are written on GitHub only", "leave it out")
    sample_updates = section.choice("sample_updates", _SAMPLE_UPDATES)
    run_existing = section.flag("run_existing")
    section.finish()
    if url is None:
        if "url" not in section.data:
            section.error(None, "a repository without `url`", "say which repository to watch")
        return None
    address = repository_address(url, folder)
    if _holds_password(address):  # it would stand in the log, on /healthz and in what jobs are told
        section.error("url", "'repository.url' holds a password", "leave it to a credential helper of git's")
    found = _credentials(section, account, forge, credentials)
    name = name or (_whole_name(address) if forge == "gitlab" else _short_name(address))
    if forge in _HOSTED_NAMES and not _HOSTED_NAMES[forge].match(name):
        key = "name" if "name" in section.data else "url"
        text = f"'{name}' is not the name of a repository on {_TITLES[forge]}"
        section.error(key, text, f'write name = "{"group" if forge == "gitlab" else "owner"}/name"')
    return RepositorySettings(
        url=address,
        name=name,
        poll_s=2.0 if poll_s is None else float(poll_s),
        forge=forge or "git",
        credentials=account,
        webhook_secret=secret or (found.webhook_secret if found is not None else None),
        checks_per=checks_per or "workflow",
        skipped=skipped or "skipped",
        comment=bool(comment),
        sample_updates=sample_updates or "pull-request",
        run_existing=bool(run_existing),
    )


def _credentials(
    section: Section, name: str | None, forge: str | None, known: Mapping[str, Credentials]
) -> Credentials | None:
    if name is not None and name not in known:
        remedy = did_you_mean(name, known) or f"add [credentials.{name}]"
        section.error("credentials", f"there are no credentials '{name}'", remedy)
    found = known.get(name or "")
    if forge not in _TITLES:
        return found
    title = _TITLES[forge]
    if name is None and "credentials" not in section.data:
        whose = "a GitHub App or a token" if forge == "github" else "a token"
        section.error(
            "forge",
            f"a repository on {title} without `credentials`",
            f"name those of {whose}: [credentials.NAME]",
        )
    if found is not None and forge != "github" and found.app_id is not None:
        section.error("credentials", f"{title} knows no Apps", f"write `token` in [credentials.{name}]")
    if found is not None and forge == "gitea" and found.api_url is None:
        remedy = f'write api_url = "https://git.example.org/api/v1" in [credentials.{name}]'
        section.error("credentials", "where Gitea is has to be told", remedy)
    return found


def repository_address(url: str, folder: Path) -> str:
    """An address in the one form that everything else uses: paths are absolute `file://` addresses."""
    if "://" in url:
        return url.rstrip("/")
    head, colon, _ = url.partition(":")
    if colon and "/" not in head:  # git's short form for ssh, host:path
        return url.rstrip("/")
    return "file://" + os.path.normpath(folder / url)


def _holds_password(url: str) -> bool:
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in user


def _short_name(url: str) -> str:
    """The last two parts of an address as people name a repository: `acme/digits`."""
    parts = _whole_name(url).split("/")
    return "/".join(parts[-1:] if url.startswith("file://") else parts[-2:])


def _whole_name(url: str) -> str:
    """An address from its first folder on."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.rpartition(":")[2]
    parts = [part for part in path.removesuffix("/.git").removesuffix(".git").split("/") if part]
    return "/".join(parts) or url
