"""What the tests of the running daemon start from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.daemon.serving import Repository, Serving, configure, git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    bare, work = tmp_path / "digits.git", tmp_path / "work"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    return Repository(bare=bare, work=work)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB. Only root can mount one; CI does."""
    if os.geteuid() != 0:
        assert "CI" not in os.environ, "a small disk can only be mounted by root"
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def serving(tmp_path: Path, repository: Repository) -> Iterator[Serving]:
    configure(tmp_path, repository)
    serving = Serving(folder=tmp_path)
    yield serving
    for life in serving.lives:
        if life.poll() is None:
            life.terminate()
            life.wait(15)
        if life.stdout is not None:
            life.stdout.close()
