"""Repositories that lie on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_path(url: str) -> Path | None:
    """The git directory behind a `file://` address or a path, or None where it is neither."""
    path = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else Path(url)
    if not path.is_absolute():
        return None
    for candidate in (path / ".git", path, path.with_name(path.name + ".git")):
        if (candidate / "HEAD").is_file():
            return candidate
    return None
