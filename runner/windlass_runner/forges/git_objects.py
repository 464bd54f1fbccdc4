"""Git's objects as values, out of what git prints of them. Pure; for `forges.git`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from windlass_registry.errors import AuthorError, OperatorError, Problem

COMMIT_FORM: Final = "--format=%H%x00%P%x00%an%x00%ae%x00%ct%x00%B"
_LINK_MODES: Final = {"120000": "a link", "160000": "a submodule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as git tells it. `time` is the committer's, in seconds since 1970."""

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    time: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One entry of a tree object. `size_bytes` is 0 for what is not a file."""

    path: str
    mode: str
    kind: Literal["blob", "tree", "commit"]
    sha: str
    size_bytes: int

    @property
    def link_kind(self) -> str | None:
        """What sort of link it is ("a link", "a submodule"), or None for a file or folder."""
        return _LINK_MODES.get(self.mode)


def parse_commit(out: bytes) -> Commit:
    """A commit in the form `COMMIT_FORM`."""
    full, parents, name, email, time, message = out.decode("utf-8", "replace").split("\0", 5)
    return Commit(
        sha=full,
        parents=tuple(parents.split()),
        author_name=name,
        author_email=email,
        time=int(time),
        message=message.rstrip("\n"),
    )


def parse_entry(record: str) -> TreeEntry:
    """One record of `ls-tree -z -l`."""
    head, _, path = record.partition("\t")
    mode, kind, sha, size = head.split()
    if kind not in ("blob", "tree", "commit"):
        raise OperatorError(
            f"git listed '{path}' as '{kind}'", remedy="is the repository damaged? run git fsck"
        )
    sort: Literal["blob", "tree", "commit"] = (
        "blob" if kind == "blob" else "tree" if kind == "tree" else "commit"
    )
    return TreeEntry(path=path, mode=mode, kind=sort, sha=sha, size_bytes=int(size) if size != "-" else 0)


def refuse_links(entries: Sequence[TreeEntry], *, limit_bytes: int) -> None:
    """Raise AuthorError where one of them is a link, or a file that is too large."""
    problems = []
    for entry in entries:
        if entry.link_kind:
            message = f"'{entry.path}' is {entry.link_kind}, which is not followed"
            remedy = "commit the file itself"
        elif entry.size_bytes > limit_bytes:
            message = f"the file has {entry.size_bytes:,} bytes, more than the {limit_bytes:,} that are read"
            remedy = "make it smaller"
        else:
            continue
        problems.append(Problem(path=entry.path, line=0, column=0, message=message, remedy=remedy))
    if problems:
        raise AuthorError(*problems)


def parse_batch(out: bytes, shas: Sequence[str]) -> Iterator[bytes]:
    """What `cat-file --batch` says to these names. Raises OperatorError: one of them is missing."""
    position = 0
    for sha in shas:
        end = out.index(b"\n", position)
        header = out[position:end].split()
        if len(header) != 3:
            raise OperatorError(f"the object {sha} is missing", remedy="is the mirror damaged? delete it")
        size = int(header[2])
        yield out[end + 1 : end + 1 + size]
        position = end + 2 + size


def parse_paths(out: bytes) -> tuple[str, ...]:
    """Paths that end in NUL."""
    return tuple(os.fsdecode(path) for path in out.split(b"\0") if path)
