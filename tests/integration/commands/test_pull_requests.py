"""An update as a pull request at GitHub, with the credentials of the daemon's settings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from github_double.server import GitHubDouble, open_double
from integration.commands.conftest import Here
from integration.commands.sample_world import FIT, Sample

REMOTE = "git@github.com:acme/digits.git"


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double() as double:
        yield double


@pytest.fixture
def sample(here: Here, tmp_path: Path) -> Sample:
    """Subscribed to, committed, and newer by now. `origin` is named as at GitHub, and lies beside us."""
    found = Sample(here=here, folder=tmp_path / "fit")
    found.release("1.0.0")
    assert found.subscribe().code == 0
    here.commit()
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    for name, value in (("user.email", "ann@example.org"), ("user.name", "Ann")):
        here.git("config", name, value)
    here.git("remote", "add", "origin", REMOTE)
    here.git("config", f"url.{origin}.pushInsteadOf", REMOTE)
    found.release("1.1.0", fit_sh=FIT + "# more\n")
    return found


def settings(sample: Sample, hub: GitHubDouble, name: str) -> tuple[str, str]:
    token = sample.here.root.parent / "token"
    token.write_text(hub.world.add_person("ann", scopes="repo"))
    path = sample.here.root.parent / "windlass.toml"
    path.write_text(
        f'[credentials.ann]\napi_url = "{hub.url}"\ntoken = {{file = "{token}"}}\n\n'
        f'[[repository]]\nurl = "https://github.com/{name}"\nforge = "github"\ncredentials = "ann"\n'
    )
    return "--config", str(path)


def test_it_is_opened_once(sample: Sample, hub: GitHubDouble) -> None:
    repository = hub.world.add_repository("acme/digits")
    repository.permissions["ann"] = "write"
    words = ("--branch", "--pull-request", *settings(sample, hub, "acme/digits"))
    first = sample.update(*words)
    assert first.code == 0, first.err
    (pull,) = repository.pulls.values()
    assert f"pull request: {pull['html_url']}" in first.err
    assert (pull["head"]["ref"], pull["base"]["ref"]) == ("windlass/update-fit-v1.1.0", "main")
    assert pull["title"].endswith(" 1.1.0")
    again = sample.update(*words)
    assert (again.code, len(repository.pulls)) == (0, 1)
    assert pull["html_url"] in again.err


def test_without_credentials_for_it_the_branch_is_pushed_and_the_page_told(
    sample: Sample, hub: GitHubDouble
) -> None:
    answer = sample.update("--branch", "--pull-request", *settings(sample, hub, "acme/other"))
    assert (answer.code, "no credentials for 'acme/digits'" in answer.err) == (3, True)
    assert "open the pull request: https://github.com/acme/digits/compare/" in answer.err
