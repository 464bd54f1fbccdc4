"""The page on which a pushed branch becomes a pull request, guessed from the address of the remote. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

_SSH: Final = re.compile(r"(?:ssh://)?(?:[^@/]+@)?(?P<host>[A-Za-z0-9.-]+)(?::\d+/|[:/])(?P<path>[^/].*)\Z")
_GITEA: Final = frozenset({"gitea", "forgejo", "codeberg"})


def pull_request_page(remote: str, branch: str) -> str | None:
    """Where a browser opens the pull request; None where the remote's forge cannot be told from its host."""
    host, path = host_and_path(remote)
    if not host or not path:
        return None
    name = quote(branch, safe="/")
    words = host.split(":")[0].split(".")
    if "gitlab" in words:
        source = quote(branch, safe="")
        return f"https://{host}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={source}"
    if "github" in words:
        return f"https://{host}/{path}/compare/{name}?expand=1"
    if not _GITEA.isdisjoint(words):
        return f"https://{host}/{path}/compare/{name}"
    return None


def host_and_path(remote: str) -> tuple[str, str]:
    """The host of a remote, and the repository's name there; both '' for a place on a disk."""
    parts = urlsplit(remote)
    if parts.scheme in ("http", "https"):
        host, path = parts.netloc.rpartition("@")[2], parts.path
    elif parts.scheme in ("", "ssh") and not remote.startswith(("/", ".")):
        found = _SSH.fullmatch(remote)
        host, path = (found["host"], found["path"]) if found is not None else ("", "")
    else:
        return "", ""
    return host, path.strip("/").removesuffix(".git")
