"""Where a folder's files come from, as its git repository tells: for what is signed of a publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from windlass_registry.archive import LEFT_OUT
from windlass_registry.errors import OperatorError
from windlass_registry.versions import Version, VersionError
from windlass_runner.forges.git_program import GitProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A folder at a commit."""

    repository: str | None
    """The address of `origin`, without anybody's password; None where it was cloned from nowhere."""
    commit: str | None
    """None before the first commit."""
    is_dirty: bool
    """Whether files of the folder differ from the commit."""
    folder: str
    """The folder in the repository; '' is its root."""
    tags: tuple[str, ...]
    """The tags of that very commit."""

    def tagged_version(self, name: str) -> Version | None:
        """The version that a tag gives: `v1.2.3`, `1.2.3`; `NAME-v1.2.3`, `NAME/v1.2.3` of several."""
        found: list[Version] = []
        for tag in self.tags:
            text = tag.removeprefix(f"{name}-").removeprefix(f"{name}/")
            try:
                found.append(Version.parse(text))
            except VersionError:
                continue
        return max(found, default=None)


def find_source(folder: Path, *, environment: Mapping[str, str]) -> GitSource | None:
    """What git knows of a folder; None where it lies in no repository, or git is not there."""
    git = GitProgram(environment=environment)
    there = ["-C", str(folder)]
    try:
        prefix = _line(git, [*there, "rev-parse", "--show-prefix"])
    except OperatorError:
        return None
    commit = _line(git, [*there, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"], allowed=(1,)) or None
    status = git.local([*there, "status", "--porcelain", "--ignored", "--untracked-files=all", "--", "."])
    url = _line(git, [*there, "remote", "get-url", "origin"], allowed=(2, 128))
    tags = _line(git, [*there, "tag", "--points-at", "HEAD"]).splitlines() if commit else []
    return GitSource(
        repository=_without_password(url) if url else None,
        commit=commit,
        is_dirty=any(not _is_left_out(line) for line in status.decode(errors="replace").splitlines()),
        folder=prefix.rstrip("/"),
        tags=tuple(tags),
    )


def _line(git: GitProgram, arguments: list[str], *, allowed: tuple[int, ...] = ()) -> str:
    return git.local(arguments, allowed=allowed).decode(errors="replace").strip()


def _is_left_out(line: str) -> bool:
    """Ignored caches that no package holds make nothing dirty."""
    return line.startswith("!! ") and not LEFT_OUT.isdisjoint(line[3:].strip('"').split("/"))


def _without_password(url: str) -> str:
    """Whoever signs an address gives it to everybody."""
    parts = urlsplit(url)
    if "://" not in url or "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
