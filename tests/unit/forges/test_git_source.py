from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from windlass_runner.forges.git_source import find_source

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "actions" / "train").mkdir(parents=True)
    (root / "actions" / "train" / "action.yml").write_text("name: x\n")
    git(root, "init", "-q", "-b", "main")
    return root


def git(root: Path, *words: str) -> str:
    call = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *words]
    return subprocess.run(call, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "work")
    return git(root, "rev-parse", "HEAD")


def test_a_folder_is_told_by_address_commit_and_path(repository: Path) -> None:
    sha = commit(repository)
    git(repository, "remote", "add", "origin", "https://git.example.org/acme/actions.git")
    found = find_source(repository / "actions" / "train", environment=ENVIRONMENT)
    assert found is not None
    assert (found.repository, found.commit) == ("https://git.example.org/acme/actions.git", sha)
    assert (found.folder, found.is_dirty, found.tags) == ("actions/train", False, ())


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://ann:secret@git.example.org/a.git", "https://git.example.org/a.git"),
        ("https://token@git.example.org/a.git", "https://git.example.org/a.git"),
        ("ssh://git@git.example.org/a.git", "ssh://git@git.example.org/a.git"),
        ("git@git.example.org:a.git", "git@git.example.org:a.git"),
    ],
)
def test_nobodys_password_is_signed_with_it(repository: Path, address: str, told: str) -> None:
    git(repository, "remote", "add", "origin", address)
    found = find_source(repository, environment=ENVIRONMENT)
    assert found is not None
    assert found.repository == told


def test_what_differs_from_the_commit_is_said(repository: Path) -> None:
    folder = repository / "actions" / "train"
    (repository / ".gitignore").write_text("*.bin\n__pycache__\n")
    commit(repository)

    def is_dirty() -> bool:
        found = find_source(folder, environment=ENVIRONMENT)
        assert found is not None
        return found.is_dirty

    (repository / "elsewhere").write_text("x")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x")
    assert not is_dirty()
    (folder / "model.bin").write_text("ignored by git, and yet a part of the package")
    assert is_dirty()
    (folder / "model.bin").unlink()
    (folder / "new").write_text("x")
    assert is_dirty()


def test_a_repository_without_a_commit_has_none(repository: Path) -> None:
    found = find_source(repository, environment=ENVIRONMENT)
    assert found is not None
    assert (found.commit, found.repository, found.is_dirty) == (None, None, True)


def test_a_folder_in_no_repository_has_no_source(tmp_path: Path) -> None:
    assert find_source(tmp_path, environment=ENVIRONMENT) is None


@pytest.mark.parametrize(
    ("tags", "version"),
    [
        ((), None),
        (("v1.2.0",), "1.2.0"),
        (("1.2.0",), "1.2.0"),
        (("train-v1.2.0", "other-v9.0.0"), "1.2.0"),
        (("train/v1.2.0", "v1.1.0", "latest", "v1"), "1.2.0"),
    ],
)
def test_a_tag_of_the_commit_gives_the_version(
    repository: Path, tags: tuple[str, ...], version: str | None
) -> None:
    commit(repository)
    for tag in tags:
        git(repository, "tag", tag)
    found = find_source(repository, environment=ENVIRONMENT)
    assert found is not None
    told = found.tagged_version("train")
    assert (None if told is None else str(told)) == version
