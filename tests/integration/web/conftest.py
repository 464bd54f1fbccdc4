"""The API over real HTTP: beside a ledger alone, and in a daemon that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.daemon.serving import Repository, Serving, configure, git
from integration.web.calling import Api, serving_api
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


@pytest.fixture
def ledger(storage: Storage) -> Iterator[Ledger]:
    with Ledger.open(storage.ledger) as opened:
        yield opened


@pytest.fixture
def api(ledger: Ledger, storage: Storage) -> Iterator[Api]:
    """The API without a daemon: nothing answers what is asked."""
    with serving_api(ledger, storage) as served:
        yield served


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
