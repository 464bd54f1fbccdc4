"""The identity of a file or folder: SHA-256 over names, kinds, the right to execute, and contents."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from windlass_runner.data.trees import walk

_FORM = b"windlass-tree-1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts:
    """What a file or folder amounts to. `digest` is ``sha256:…``; equal content, equal digest."""

    digest: str
    size_bytes: int
    file_count: int


def measure(path: Path) -> ContentFacts:
    """Digest and size of a file or folder. Times, owners and the order on the disk do not count."""
    total = hashlib.sha256(_FORM)
    size = count = 0
    if not path.is_dir() or path.is_symlink():
        size = _add(total, "", path)
        return ContentFacts(digest=f"sha256:{total.hexdigest()}", size_bytes=size, file_count=1)
    for name, entry in walk(path):
        is_folder = entry.is_dir(follow_symlinks=False)
        size += _add(total, name, Path(entry.path))
        count += not is_folder
    return ContentFacts(digest=f"sha256:{total.hexdigest()}", size_bytes=size, file_count=count)


def _add(total: hashlib._Hash, name: str, path: Path) -> int:
    found = path.lstat()
    size = 0
    if stat.S_ISDIR(found.st_mode):
        kind, content = "d", ""
    elif stat.S_ISLNK(found.st_mode):
        kind, content = (
            "l",
            hashlib.sha256(str(path.readlink()).encode("utf-8", "surrogateescape")).hexdigest(),
        )
    else:
        kind, size = ("x" if found.st_mode & 0o100 else "f"), found.st_size
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    # A zero byte cannot stand in a name, so that no two folders give the same text.
    total.update(f"{kind}\0{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return size
