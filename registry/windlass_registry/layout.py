"""Where the files of a registry lie, in its folder and on its server alike (decision 0062)."""

from __future__ import annotations

from typing import Final

TIMESTAMP: Final = "metadata/timestamp.json"
INDEX: Final = "index.json"


def may_change(path: str) -> bool:
    """Whether a file may have another content later. All other names hold a version or a digest."""
    return path in (TIMESTAMP, INDEX)


def content_type(path: str) -> str:
    """What a file is, for who serves it."""
    return "application/json" if path.endswith(".json") else "application/x-tar"


def metadata_path(role: str, version: int) -> str:
    """One version of a signed role (`timestamp` alone has no version in its name)."""
    return f"metadata/{version}.{role}.json"


def archive_path(digest: str) -> str:
    """A package's canonical archive."""
    hexadecimal = digest.removeprefix("sha256:")
    return f"packages/sha256/{hexadecimal[:2]}/{hexadecimal[2:]}.tar"


def statement_path(digest: str) -> str:
    """The statement about a release."""
    hexadecimal = digest.removeprefix("sha256:")
    return f"statements/sha256/{hexadecimal[:2]}/{hexadecimal[2:]}.json"
