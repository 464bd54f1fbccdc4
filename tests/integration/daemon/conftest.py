"""What the tests of the running daemon start from."""

from __future__ import annotations

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
