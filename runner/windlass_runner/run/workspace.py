"""The code that a job sees: mirrors of repositories, checked-out trees, private copies of them.

A commit is fetched once into a bare mirror, written out once as a tree, and copied for every job.
Each of these appears complete or not at all (made beside its place, then renamed), so that after
a crash the same calls are simply made again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.data.trees import copy_entry, copy_tree, remove_tree
from windlass_runner.engines.base import HostFull
from windlass_runner.forges.git import Git
from windlass_runner.forges.notes import fetch_note, update_note

_STALE_LOCK_S: Final = 60
_TREE_KEPT_S: Final = 24 * 3600
_LEFT_OUT: Final = (".git", ".windlass/out", ".windlass/state")


class Mirror:
    """One repository as we hold it: ``mirrors/<key>`` with its objects, ``trees/<key>/<commit>``.

    Safe to use from several threads and processes: what changes the mirror holds a lock on a file.
    Every call may raise `OperatorError` or `UpstreamError`.
    """

    def __init__(self, git: Git, storage: Path, url: str) -> None:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", url.rstrip("/").removesuffix(".git").rpartition("/")[2])
        self.key: Final = f"{name[:40]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
        self.path: Final = storage / "mirrors" / f"{self.key}.git"
        self.url: Final = url
        self.git: Final = git
        self._trees = storage / "trees" / self.key

    def fetch(self, *, ref: str, sha: str) -> None:
        """Bring a commit here. Cheap where it is here already."""
        if self.git.is_fetched(self.path, sha):
            return
        with self._lock():
            self.git.init_mirror(self.path)
            self.git.fetch_commit(self.path, self.url, ref=ref, sha=sha)

    def checkout(self, sha: str) -> Path:
        """A tree with the commit's files; made once. Not to be written to: take `private_copy`."""
        tree = self._trees / sha
        if tree.exists():
            with contextlib.suppress(FileNotFoundError):
                os.utime(tree)  # in use: not to be forgotten
                return tree

        def write(target: Path) -> None:
            index = target.with_name(target.name + ".index")
            target.mkdir()
            try:
                self.git.write_tree(self.path, sha, target, index=index)
            finally:
                index.unlink(missing_ok=True)

        with self._lock():
            if not tree.exists():
                _make_whole(tree, write)
                os.utime(tree)
                self._forget_trees(now=tree.stat().st_mtime)
        return tree

    def _forget_trees(self, *, now: float) -> None:
        """Remove what nobody has used for a day: to copy one takes minutes, and it can be made again."""
        for tree in self._trees.iterdir():
            if now - tree.stat().st_mtime > _TREE_KEPT_S:
                remove_tree(tree)

    def update_note(self, sha: str, change: Callable[[str | None], str]) -> str:
        """Change the note on a commit and push it; see `forges.notes.update_note`."""
        with self._lock():
            return update_note(self.git, self.path, self.url, sha, change)

    def fetch_note(self, sha: str) -> str | None:
        """The note on a commit as it stands in the repository now."""
        with self._lock():
            return fetch_note(self.git, self.path, self.url, sha)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with _full_disk_told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.with_suffix(".lock").open("w")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.utime(file.fileno())
            _remove_stale_locks(self.path, now=os.fstat(file.fileno()).st_mtime)
            yield


def _remove_stale_locks(mirror: Path, *, now: float) -> None:
    """Git holds a ref's lock for milliseconds; one a minute old was left by a crash and blocks for ever."""
    for place in (mirror / "packed-refs.lock", *(mirror / "refs").rglob("*.lock")):
        with contextlib.suppress(FileNotFoundError):
            if now - place.stat().st_mtime > _STALE_LOCK_S:
                place.unlink()


def private_copy(tree: Path, target: Path) -> Path:
    """A copy of a tree that one job may write to; one that is there already stays as it is."""
    if not target.exists():
        _make_whole(target, lambda place: copy_tree(tree, place))
    return target


def snapshot_working_tree(git: Git, root: Path, target: Path) -> Path:
    """The working tree as it stands on the disk, uncommitted changes included, copied to `target`.

    Of a git repository: tracked files and untracked ones that are not ignored; else everything.
    Never `.git`, `.windlass/out` and `.windlass/state`. Links stay links.
    """
    if target.exists():
        return target
    root = root.resolve()

    def write(place: Path) -> None:
        place.mkdir()
        _snapshot(git, root, place)

    _make_whole(target, write)
    return target


def _snapshot(git: Git, root: Path, place: Path) -> None:
    made: set[Path] = {place}
    for path in _files(git, root):
        source, target = root / path, place / path
        if _is_left_out(path):
            continue
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        if source.is_dir() and not source.is_symlink():  # a repository in the repository
            target.mkdir(exist_ok=True)
            _snapshot(git, source, target)
            continue
        with contextlib.suppress(FileNotFoundError):  # deleted, though still tracked
            copy_entry(str(source), str(target))


def _files(git: Git, root: Path) -> tuple[str, ...]:
    if git.top_level(root) is not None:
        return tuple(path.rstrip("/") for path in git.working_files(root))
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [n for n in folders if n not in links and not _is_left_out((here / n).as_posix())]
        found += [(here / name).as_posix() for name in (*files, *links)]
    return tuple(found)


def _is_left_out(path: str) -> bool:
    return any(path == name or path.startswith(name + "/") for name in _LEFT_OUT) or "/.git/" in f"/{path}/"


def _make_whole(target: Path, make: Callable[[Path], object]) -> None:
    """Let `make` build beside the target, then give it its name."""
    with _full_disk_told():
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}.new")
        remove_tree(beside)
        try:
            make(beside)
            beside.rename(target)
        except BaseException:
            remove_tree(beside)
            raise


@contextlib.contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostFull(
                "no space left for a job's files", remedy="free some space where the storage lies"
            ) from error
        remedy = "check the rights and the space of the storage folder"
        raise OperatorError(f"a job's files cannot be laid out: {error}", remedy=remedy) from error
