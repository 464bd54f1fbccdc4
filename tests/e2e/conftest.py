"""What the tests with GitHub start from: a daemon, a repository, and a GitHub that is there only for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from github_double import world as there
from github_double.server import GitHubDouble, open_double
from integration.daemon.serving import SECRET, Repository, Serving, git


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double(there.World(clock=there.real_clock())) as double:
        yield double


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    bare, work = tmp_path / "digits.git", tmp_path / "work"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    return Repository(bare=bare, work=work)


@pytest.fixture
def on_github(tmp_path: Path, repository: Repository, hub: GitHubDouble) -> Iterator[Serving]:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "key.pem").write_text(there.private_key())
    (tmp_path / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[credentials.acme-app]
app_id = {hub.world.app_id}
private_key = {{file = "key.pem"}}
webhook_secret = {{file = "secret"}}
api_url = "{hub.url}"
[[repository]]
url = "{repository.bare}"
name = "acme/digits"
forge = "github"
credentials = "acme-app"
poll_s = 1
run_existing = true
[[host]]
engine = "process"
"""
    )
    serving = Serving(folder=tmp_path)
    yield serving
    for life in serving.lives:
        if life.poll() is None:
            life.terminate()
            life.wait(20)
        if life.stdout is not None:
            life.stdout.close()
