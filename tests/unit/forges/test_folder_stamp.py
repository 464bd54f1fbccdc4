from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass_runner.forges.folder_stamp import take_stamp

_WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def _git(folder: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", **_WHO}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with two commits on `main` and a branch in a folder, all of it long ago."""
    folder = tmp_path / "r.git"
    _git(tmp_path, "init", "-q", "--bare", "-b", "main", str(folder))
    tree = _git(folder, "write-tree")
    first = _git(folder, "commit-tree", tree, "-m", "one")
    _git(folder, "update-ref", "refs/heads/main", first)
    _git(folder, "update-ref", "refs/heads/feature/a", first)
    _git(folder, "tag", "next", _git(folder, "commit-tree", tree, "-p", first, "-m", "two"))
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


CHANGES: list[Callable[[Path], object]] = [
    lambda r: _git(r, "update-ref", "refs/heads/main", "next"),
    lambda r: _git(r, "update-ref", "refs/heads/feature/a", "next"),
    lambda r: _git(r, "update-ref", "refs/heads/feature/deep/b", "next"),
    lambda r: _git(r, "update-ref", "-d", "refs/heads/feature/a"),
    lambda r: _git(r, "tag", "v1", "main"),
    lambda r: _git(r, "tag", "-d", "next"),
    lambda r: _git(r, "pack-refs", "--all"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_branch_or_tag_shows(repository: Path, change: Callable[[Path], object]) -> None:
    stamp = take_stamp(repository)
    assert stamp.still_holds()
    change(repository)
    assert not stamp.still_holds()


def test_a_change_of_packed_refs_shows(repository: Path) -> None:
    _git(repository, "pack-refs", "--all")
    for path in (repository, *repository.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    stamp = take_stamp(repository)
    _git(repository, "update-ref", "-d", "refs/heads/feature/a")
    assert not stamp.still_holds()


def test_a_first_tag_shows_where_there_was_no_folder_for_tags(repository: Path) -> None:
    _git(repository, "tag", "-d", "next")
    (repository / "refs" / "tags").rmdir()
    for path in (repository, *repository.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    stamp = take_stamp(repository)
    assert stamp.still_holds()
    _git(repository, "tag", "v1", "main")
    assert not stamp.still_holds()


def test_a_change_of_how_refs_are_kept_shows(repository: Path) -> None:
    stamp = take_stamp(repository)
    (repository / "reftable").mkdir()  # as `git refs migrate` does
    assert not stamp.still_holds()


def test_notes_do_not_count(repository: Path) -> None:
    _git(repository, "notes", "--ref=other", "add", "-m", "x", "main")
    stamp = take_stamp(repository)
    _git(repository, "notes", "--ref=other", "add", "-f", "-m", "y", "main")
    assert stamp.still_holds()


def test_what_changed_just_now_is_not_settled(repository: Path) -> None:
    now = time.time()
    assert take_stamp(repository).is_settled(now)
    _git(repository, "tag", "v1", "main")
    assert not take_stamp(repository).is_settled(time.time())


def test_a_repository_that_is_gone_shows(repository: Path, tmp_path: Path) -> None:
    stamp = take_stamp(repository)
    repository.rename(tmp_path / "elsewhere")
    assert not stamp.still_holds()
