"""What is deployed where, told to GitLab over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from forge_doubles.gitlab import TOKEN, GitLabDouble
from forge_doubles.http import Fault, opened
from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import Check, CommitStatus, Deployment
from windlass_runner.forges.gitlab.forge import GitLab

SHA = "a" * 40
URL = "https://gitlab.example.org/acme/vision/digits.git"


@pytest.fixture
def double() -> Iterator[GitLabDouble]:
    with opened(GitLabDouble) as double:
        double.refs[SHA] = [("branch", "main")]
        yield double


def forge(double: GitLabDouble) -> GitLab:
    """Another life each time."""
    return GitLab(api_url=double.api_url, token=lambda: TOKEN, name_of=lambda _: "acme/vision/digits")


def deployment(state: Any, *, run: str = "r1", job: str = "deploy", **more: Any) -> Deployment:
    usual = {"environment": "production", "ref": "refs/heads/main"}
    return Deployment(run=run, job=job, state=state, **{**usual, **more})


def status(*deployments: Deployment) -> CommitStatus:
    check = Check(name="ci", external_id="r1", state="success", title="done")
    return CommitStatus(repository=URL, sha=SHA, checks=(check,), note="{}", deployments=deployments)


def test_a_job_is_a_deployment_from_its_beginning_to_its_end(double: GitLabDouble) -> None:
    ours = forge(double)
    ours.post(status(deployment("waiting")))
    assert double.deployed.told("production") == []
    ours.post(status(deployment("running")))
    assert double.deployed.told("production") == [("main", "running")]
    ours.post(status(deployment("success", environment_url="https://digits.example.org")))
    ours.post(status(deployment("success", environment_url="https://digits.example.org")))
    assert double.deployed.told("production") == [("main", "success")]
    assert double.deployed.environments["production"]["external_url"] == "https://digits.example.org"
    assert len(double.requests("PUT")) == 2


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("neutral", "failed"),
        ("cancelled", "canceled"),
        ("skipped", "canceled"),
    ],
)
def test_how_it_ended_is_told_in_gitlabs_words(double: GitLabDouble, state: str, told: str) -> None:
    forge(double).post(status(deployment(state, ref="refs/tags/v1")))
    assert double.deployed.told("production") == [("v1", told)]
    assert [one["tag"] for one in double.deployed.deployments.values()] == [True]


def test_another_life_goes_on_with_what_stands_there(double: GitLabDouble) -> None:
    double.deployed.add("production", SHA, "running", user={"id": 7})
    double.deployed.add("production", SHA, "running", deployable={"id": 5})
    double.deployed.add("production", "b" * 40, "running")
    forge(double).post(status(deployment("running"), deployment("running", job="deploy (eu)")))
    forge(double).post(status(deployment("success"), deployment("running", job="deploy (eu)")))
    forge(double).post(status(deployment("success"), deployment("failure", job="deploy (eu)")))
    ours = [state for _, state in double.deployed.told("production")][3:]
    assert sorted(ours) == ["failed", "success"]  # which is which nobody can tell


def test_a_run_again_is_a_deployment_of_its_own(double: GitLabDouble) -> None:
    forge(double).post(status(deployment("failure")))
    forge(double).post(status(deployment("failure"), deployment("success", run="r2")))
    assert double.deployed.told("production") == [("main", "failed"), ("main", "success")]


def test_one_that_was_replaced_stays_the_success_that_it_was(double: GitLabDouble) -> None:
    forge(double).post(status(deployment("running")))
    forge(double).post(status(deployment("inactive")))
    forge(double).post(status(deployment("inactive"), deployment("inactive", run="r0", job="old")))
    assert double.deployed.told("production") == [("main", "success")]


def test_a_write_of_which_nobody_knows_what_became_is_looked_up(double: GitLabDouble) -> None:
    ours = forge(double)
    ours.post(status())
    double.faults.append(Fault(method="POST", raw=b"HTTP/1.1 201"))
    with pytest.raises(UpstreamError):
        ours.post(status(deployment("running")))
    double.deployed.add("production", SHA, "running")  # it had arrived
    ours.post(status(deployment("success")))
    assert double.deployed.told("production") == [("main", "success")]


@pytest.mark.parametrize("name", ["prod: eu", "/prod", "prod/", "größe", "x" * 256])
def test_a_name_that_gitlab_cannot_take_holds_up_nothing(
    double: GitLabDouble, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    forge(double).post(status(deployment("running", environment=name), deployment("running", job="b")))
    assert double.deployed.told("production") == [("main", "running")]
    assert "GitLab takes no environment named" in caplog.text


def test_without_the_right_to_deploy_there_statuses_tell_alone(
    double: GitLabDouble, caplog: pytest.LogCaptureFixture
) -> None:
    ours = forge(double)
    ours.post(status())
    double.faults.append(Fault(method="POST", times=2, status=403, body=b'{"message": "403 Forbidden"}'))
    for _ in range(2):
        ours.post(status(deployment("running")))
    assert caplog.text.count("acme/vision/digits.git are not told") == 1
    ours.post(status(deployment("running")))
    assert double.deployed.told("production") == [("main", "running")]


def test_an_address_that_another_environment_has_is_left(double: GitLabDouble) -> None:
    url = "https://digits.example.org"
    double.deployed.add("staging", SHA, "success")
    double.deployed.environments["staging"]["external_url"] = url
    forge(double).post(status(deployment("success", environment_url=url)))
    assert double.deployed.environments["production"]["external_url"] is None
    assert double.newest(SHA)["ci"]["status"] == "success"
