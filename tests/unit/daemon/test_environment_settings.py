"""`[[environment]]` of the settings, and what it amounts to for a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_runner.daemon.environment_settings import EnvironmentSettings, described
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.settings import Settings, parse_settings
from windlass_runner.daemon.toml_reader import SettingsError

WHOLE = """
[[environment]]
name = "production"
repository = "acme/*"
branches = ["main", "release/**"]
approvers = ["ada", "bob"]
approvals = 2
wait_s = 30
timeout_s = 3600
url = "https://digits.example.org"

[environment.secrets]
DEPLOY_KEY = {env = "PRODUCTION_KEY"}
CERTIFICATE = {file = "cert.pem"}

[[environment]]
name = "staging"
"""


def _parse(text: str) -> Settings:
    return parse_settings(text, path=Path("/etc/windlass.toml"), environ={})


def test_an_environment_is_read_with_all_of_it() -> None:
    production, staging = _parse(WHOLE).environments
    assert production == EnvironmentSettings(
        name="production",
        repository="acme/*",
        branches=("main", "release/**"),
        approvers=("ada", "bob"),
        approvals=2,
        wait_s=30.0,
        timeout_s=3600.0,
        url="https://digits.example.org",
        secrets={
            "DEPLOY_KEY": SecretSource(env="PRODUCTION_KEY"),
            "CERTIFICATE": SecretSource(file=Path("/etc/cert.pem")),
        },
    )
    assert staging == EnvironmentSettings(name="staging")


def test_to_name_approvers_asks_for_one_approval() -> None:
    (found,) = _parse('[[environment]]\nname = "x"\napprovers = "ada"\n').environments
    assert (found.approvers, found.approvals) == (("ada",), 1)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('name = "x"\naproval = 1', 3, "unknown key 'aproval' in [environment]; did you mean 'approvals'?"),
        ("approvals = 1", 1, "an environment without `name`"),
        ('name = "x"\napprovals = -1', 3, "must be at least 0"),
        ('name = "x"\napprovals = 2\napprovers = ["ada", "Ada"]', 3, "2 approvals cannot come from"),
        ('name = "x"\nbranches = ["[a"]', 3, "'environment.branches': '[a': "),
        ('name = "x"\nbranches = [1]', 3, "'environment.branches' must be a list of texts"),
        ('name = "x"\nurl = "x.example.org"', 3, "is not an http address"),
        ('name = "x"\n[environment.secrets]\nKEY = "in the clear"', 4, "is a secret and is not written here"),
        ('name = "x"\n[[environment]]\nname = "X"', 4, "the environment 'X' stands twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _parse(f"[[environment]]\n{text}\n")
    (problem,) = caught.value.problems
    assert (problem.line, message in str(problem)) == (line, True), str(problem)


def test_an_environment_of_a_repository_goes_before_one_for_all() -> None:
    url = "https://github.com/acme/digits"
    find = described(
        [
            EnvironmentSettings(name="production", approvals=1),
            EnvironmentSettings(name="production", repository="acme/*", approvals=3),
        ],
        [RepositorySettings(url=url, name="acme/digits")],
        {},
    )
    found, other = find(url, "production"), find("https://elsewhere.example.org/x", "production")
    assert found is not None
    assert other is not None
    assert (found.approvals, other.approvals) == (3, 1)
    assert find(url, "staging") is None
    assert find(url, "Production") is not None  # as GitHub takes names


def test_a_secret_of_an_environment_that_is_not_set_is_empty_and_never_another_one() -> None:
    one = EnvironmentSettings(name="x", secrets={"KEY": SecretSource(env="UNSET")})
    found = described([one], [], {})("r", "x")
    assert found is not None
    assert (found.secret("KEY"), found.secret("OTHER")) == ("", None)
