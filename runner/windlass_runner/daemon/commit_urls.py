"""Where people look at a commit: on the pages of the repository's forge. Pure; for the pages of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from windlass_runner.daemon.repository_settings import RepositorySettings

_SCP_LIKE: Final = re.compile(r"(?:[^/@:\s]+@)?([A-Za-z0-9.-]+):([^/\s].*)\Z")
_PARTS: Final = {"github": "commit", "gitea": "commit", "gitlab": "-/commit"}


def commit_urls(repositories: Iterable[RepositorySettings]) -> Callable[[str, str], str | None]:
    """A function of a repository's address and a commit; it gives None where there is no such page."""
    forges = {found.url: found.forge for found in repositories}

    def commit_url(repository: str, sha: str) -> str | None:
        part = _PARTS.get(forges.get(repository, ""))
        page = _page(repository)
        return f"{page}/{part}/{sha}" if part is not None and page is not None else None

    return commit_url


def _page(repository: str) -> str | None:
    """The repository's page on its forge, without names and passwords."""
    parts = urlsplit(repository)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/').removesuffix('.git')}"
    if parts.scheme == "ssh" and parts.hostname:
        host, path = parts.hostname, parts.path
    elif "://" not in repository and (found := _SCP_LIKE.match(repository)) is not None:
        host, path = found[1], found[2]
    else:
        return None
    return f"https://{host}/{path.strip('/').removesuffix('.git')}"
