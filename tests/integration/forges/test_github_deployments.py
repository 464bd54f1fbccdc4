"""Deployments at GitHub: made once, whatever happens, with a status for each turn that they take."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from github_double.server import Fault, GitHubDouble
from github_double.world import Deployment as Made
from github_double.world import Repository
from integration.forges.posting import OTHER, SHA, URL, check, open_forge
from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import CommitStatus, Deployment, NotYet
from windlass_runner.forges.github.forge import Account, GitHub

DEPLOYMENTS = "/deployments$"


def deployed(state: str, *, run: str = "r1", job: str = "deploy", **more: Any) -> Deployment:
    return Deployment(run=run, job=job, environment=more.pop("environment", "staging"), state=state, **more)  # type: ignore[arg-type]


def said(*deployments: Deployment, sha: str = SHA) -> CommitStatus:
    return CommitStatus(
        repository=URL, sha=sha, checks=(check("running"),), note="{}", deployments=deployments
    )


def post(hub: GitHubDouble, forge: GitHub, status: CommitStatus) -> None:
    """As the outbox does: it comes again for what has to wait, or could not be."""
    while True:
        try:
            return forge.post(status)
        except (NotYet, UpstreamError) as error:
            hub.world.clock.wait(error.retry_after_s or 1.0)


def made(repository: Repository) -> list[Made]:
    return list(repository.deployments.values())


def test_a_deployment_takes_its_turns(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    for state in ("waiting", "queued", "running", "success", "success"):
        post(
            hub,
            forge,
            said(deployed(state, log_url="https://ci.x.org/r1", environment_url="https://s.x.org")),
        )
    (one,) = made(repository)
    assert one.states == ["queued", "in_progress", "success"]
    assert (one.sha, one.environment, one.fields["payload"]) == (
        SHA,
        "staging",
        {"windlass": {"run": "r1", "job": "deploy"}},
    )
    assert (one.fields["auto_merge"], one.fields["required_contexts"]) == (False, [])
    assert one.statuses[-1]["environment_url"] == "https://s.x.org"
    assert one.statuses[-1]["log_url"] == "https://ci.x.org/r1"


@pytest.mark.parametrize(
    ("state", "told"),
    [("failure", "failure"), ("timed_out", "failure"), ("cancelled", "error"), ("neutral", "failure")],
)
def test_how_it_ended_is_told_in_githubs_words(
    hub: GitHubDouble, repository: Repository, state: str, told: str
) -> None:
    post(hub, open_forge(hub), said(deployed(state, description="rejected by bob: " + "no " * 100)))
    (one,) = made(repository)
    assert one.states == [told]
    assert one.statuses[0]["description"].startswith("rejected by bob: no no")


def test_what_it_replaces_becomes_inactive(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    for environment in ("staging", "production"):
        post(hub, forge, said(deployed("success", environment=environment)))
        post(hub, forge, said(deployed("success", run="r2", environment=environment), sha=OTHER))
        post(hub, forge, said(deployed("inactive", environment=environment)))
        post(hub, open_forge(hub), said(deployed("inactive", environment=environment)))
        repository.deployments, (old, new) = {}, repository.deployments.values()
        assert (old.state, new.state) == ("inactive", "success")
        forge = open_forge(hub)


def test_another_life_finds_what_is_there(hub: GitHubDouble, repository: Repository) -> None:
    theirs = {"id": 9, "sha": SHA, "environment": "staging", "is_production": False, "created_at": 0.0}
    for payload in ("", "{}", '{"x": ', {"windlass": 1}):
        number = 9 + len(repository.deployments)
        fields = {"ref": "main", "payload": payload}
        repository.deployments[number] = Made(**{**theirs, "id": number}, fields=fields)  # type: ignore[arg-type]
    post(hub, open_forge(hub), said(deployed("running")))
    post(hub, open_forge(hub), said(deployed("running")))
    post(hub, open_forge(hub), said(deployed("success")))
    ours = [one for one in made(repository) if one.id > 20]
    assert [one.states for one in ours] == [["in_progress", "success"]]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path=DEPLOYMENTS, method="POST", cut=True, has_effect=True),
        Fault(path=DEPLOYMENTS, method="POST", status=502, has_effect=True),
        Fault(path=DEPLOYMENTS, method="POST", status=500, times=2),
        Fault(path="/statuses$", method="POST", cut=True, has_effect=True),
        Fault(path="/statuses$", method="POST", status=403, headers={"Retry-After": "30"}),
    ],
)
def test_it_is_made_once_whatever_becomes_of_the_request(
    hub: GitHubDouble, repository: Repository, fault: Fault
) -> None:
    hub.plan(fault)
    forge = open_forge(hub)
    post(hub, forge, said(deployed("running")))
    post(hub, forge, said(deployed("success")))
    (one,) = made(repository)
    assert one.states[-1] == "success"


def test_without_the_permission_checks_alone_tell(
    hub: GitHubDouble, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    (installation,) = hub.world.installations.values()
    del installation.permissions["deployments"]
    forge = open_forge(hub)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            post(hub, forge, said(deployed("running")))
    assert made(repository) == []
    assert [run.state for run in repository.check_runs.values()] == [("in_progress", None)]
    assert caplog.text.count("deployments of acme/digits are not told to GitHub") == 1


def test_a_personal_token_deploys_too(hub: GitHubDouble, repository: Repository) -> None:
    token = hub.world.add_person("mona", scopes="repo")
    account = Account(name="mona", api_url=hub.url, read_token=lambda: token)
    post(hub, open_forge(hub, account), said(deployed("success")))
    assert made(repository)[0].state == "success"


def test_what_was_over_before_github_heard_of_it_is_left_out(
    hub: GitHubDouble, repository: Repository
) -> None:
    post(hub, open_forge(hub), said(deployed("inactive")))
    assert made(repository) == []
