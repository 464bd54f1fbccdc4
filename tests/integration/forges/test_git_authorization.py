"""Git reaches a repository on GitHub with the daemon's token, and nobody else sees that."""

from __future__ import annotations

import os
import shutil
import threading
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from github_double.server import Fault, GitHubDouble
from github_double.world import Repository
from integration.daemon.git_http import git_over_http
from integration.daemon.serving import git
from integration.forges.posting import app_account, check, shown, status
from windlass_registry.errors import OperatorError
from windlass_runner.forges.git import Git
from windlass_runner.forges.github.forge import Account, GitHub, HostedRepository


@pytest.fixture
def address(tmp_path: Path, hub: GitHubDouble, repository: Repository) -> Iterator[str]:
    """`acme/digits` over HTTP, for those who show a token that is good at the double."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "hosted" / "acme" / "digits.git"))

    def is_welcome(header: str) -> bool:
        user, _, token = b64decode(header.removeprefix("Basic ")).decode().partition(":")
        found = hub.world.tokens.get(token)
        return user == "x-access-token" and found is not None and found.expires_at > hub.world.clock()

    with git_over_http(tmp_path / "hosted", is_welcome=is_welcome) as root:
        yield f"{root}/acme/digits.git"


def open_git(
    tmp_path: Path, hub: GitHubDouble, address: str, account: Account, **more: str
) -> tuple[Git, Path]:
    """A git that notes the arguments it is started with, and where it does."""
    arguments, program = tmp_path / "arguments", tmp_path / "bin" / "git"
    program.parent.mkdir()
    real = shutil.which("git")
    program.write_text(f'#!/bin/sh\necho "$@" >>{arguments}\nexec {real} "$@"\n')
    program.chmod(0o755)
    hosted = HostedRepository(url=address, name="acme/digits", account=account)
    forge = GitHub([hosted], clock=hub.world.clock, wait=hub.world.clock.wait)
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "GIT_CONFIG_NOSYSTEM": "1", **more}
    return Git(environment=environment, login=forge.git_login), arguments


def test_an_installations_token_opens_the_repository(tmp_path: Path, hub: GitHubDouble, address: str) -> None:
    with pytest.raises(OperatorError, match="give the daemon credentials"):
        Git(environment=dict(os.environ)).ls_remote(address)
    opened, arguments = open_git(tmp_path, hub, address, app_account(hub))
    refs = opened.ls_remote(address)
    assert set(refs) == {"HEAD", "refs/heads/main"}

    mirror = tmp_path / "mirror"
    opened.init_mirror(mirror)
    hub.world.clock.wait(3500)
    opened.fetch_commit(mirror, address, ref="refs/heads/main", sha=refs["HEAD"])
    tokens = list(hub.world.tokens)
    assert len(tokens) == 2
    stored = "".join(path.read_text(errors="replace") for path in mirror.rglob("*") if path.is_file())
    assert not any(token in arguments.read_text() + stored for token in tokens)
    assert "Authorization" not in arguments.read_text()


def test_git_does_not_wait_for_a_post_that_hangs(hub: GitHubDouble, repository: Repository) -> None:
    url, release = "http://127.0.0.1/acme/digits", threading.Event()
    hosted = HostedRepository(url=url, name="acme/digits", account=app_account(hub))
    forge = GitHub([hosted], clock=hub.world.clock, wait=hub.world.clock.wait)
    forge.post(status(check("queued"), url=url))
    hub.plan(Fault(method="PATCH", path="/check-runs/", holds=release))
    with ThreadPoolExecutor(2) as threads:
        posted = threads.submit(forge.post, status(check("success"), url=url))
        authorized = threads.submit(forge.git_login, url)
        assert authorized.result(timeout=10) is not None
        assert not posted.done()
        release.set()
        posted.result(timeout=60)
    assert shown(repository) == {"ci": ("completed", "success")}


def test_a_personal_token_does_too(tmp_path: Path, hub: GitHubDouble, address: str) -> None:
    token = hub.world.add_person("ada")
    account = Account(name="ada", api_url=hub.url, read_token=lambda: token)
    opened, _ = open_git(tmp_path, hub, address, account)
    assert "refs/heads/main" in opened.ls_remote(address)


def test_the_owners_own_configuration_of_git_goes_on(tmp_path: Path, hub: GitHubDouble, address: str) -> None:
    theirs = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
        "GIT_CONFIG_VALUE_0": "short:",
    }
    opened, _ = open_git(tmp_path, hub, address, app_account(hub), **theirs)
    assert "refs/heads/main" in opened.ls_remote(address)


@pytest.mark.parametrize(
    ("url", "api_url", "is_sent"),
    [
        ("https://github.com/acme/digits", "https://api.github.com", True),
        ("https://hub.example.org/acme/digits", "https://hub.example.org/api/v3", True),
        ("https://github.example.org/acme/digits", "https://api.github.com", False),
        ("http://hub.example.org/acme/digits", "https://hub.example.org/api/v3", False),
        ("git@github.com:acme/digits", "https://api.github.com", False),
    ],
)
def test_a_token_goes_to_its_own_github_alone_and_never_in_the_clear(
    hub: GitHubDouble, url: str, api_url: str, is_sent: bool
) -> None:
    account = Account(name="ada", api_url=api_url, read_token=lambda: "ghp_x")
    hosted = HostedRepository(url=url, name="acme/digits", account=account)
    forge = GitHub([hosted], clock=hub.world.clock, wait=hub.world.clock.wait)
    assert (forge.git_login(url) is not None) == is_sent
    assert forge.git_login("https://github.com/acme/other") is None
