"""A deployment on GitHub, from the push to the button and through a kill: one check, one deployment."""

from __future__ import annotations

from typing import Any

from github_double.server import GitHubDouble
from github_double.world import CheckRun
from github_double.world import Repository as Hosted
from integration.daemon.serving import Repository, Serving, wait_until
from integration.daemon.test_github import hosted, hub, on_github, set_in_repository

__all__ = ["hosted", "hub", "on_github"]
ENVIRONMENT = """
[[environment]]
name = "production"
repository = "acme/*"
approvers = ["Ada"]
url = "https://digits.example.org"
"""
DEPLOY = """
on: push
jobs:
  deploy: {environment: production, uses: script@v1, with: {script: 'echo deployed'}}
"""


def press(hub: GitHubDouble, run: CheckRun, identifier: str, *, by: str) -> None:
    payload: dict[str, Any] = {
        "action": "requested_action",
        "check_run": {"head_sha": run.fields["head_sha"], "external_id": run.fields["external_id"]},
        "requested_action": {"identifier": identifier},
        "repository": {"full_name": "acme/digits"},
        "sender": {"login": by},
    }
    hub.deliver("check_run", payload)


def test_a_button_lets_a_deployment_go_on(
    on_github: Serving, hub: GitHubDouble, hosted: Hosted, repository: Repository
) -> None:
    hosted.permissions |= {"ada": "write", "mona": "write"}
    set_in_repository(on_github, 'webhook_secret = {file = "secret"}')
    settings = on_github.folder / "windlass.toml"
    settings.write_text(settings.read_text() + ENVIRONMENT)
    on_github.start()
    sha = repository.commit({".windlass/workflows/ci.yaml": DEPLOY})
    hosted.commits.add(sha)
    repository.push()
    wait_until(
        lambda: [run.state for run in hosted.runs_of(sha)] == [("completed", "action_required")],
        what="the check to ask for action",
        timeout_s=60,
    )
    (run,) = hosted.runs_of(sha)
    approve, _reject, cancel = (action["identifier"] for action in run.fields["actions"])
    assert (run.fields["actions"][0]["label"], cancel) == ("Approve production", "cancel")
    wait_until(lambda: len(hosted.deployments) == 1, what="the deployment", timeout_s=60)
    on_github.kill()
    on_github.start()
    hub.hook_url = f"{on_github.address}/hooks/github"
    press(hub, run, approve, by="mona")
    wait_until(
        lambda: "approved by mona (button) does not count" in run.output["summary"],
        what="the refusal of who is no approver, on the check",
        timeout_s=60,
    )
    assert run.state == ("completed", "action_required")
    press(hub, run, approve, by="ada")
    wait_until(lambda: run.state == ("completed", "success"), what="the success", timeout_s=60)
    wait_until(
        lambda: [one.state for one in hosted.deployments.values()] == ["success"],
        what="the deployment's success",
        timeout_s=60,
    )
    (one,) = hosted.deployments.values()
    assert (one.states[0], one.environment, one.sha) == ("queued", "production", sha)
    assert one.statuses[-1]["environment_url"] == "https://digits.example.org"
    assert "approved by ada" in run.output["text"]
