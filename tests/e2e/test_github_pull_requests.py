"""A stranger's pull request on GitHub: it waits, is approved, fails, and is tried again by a comment."""

from __future__ import annotations

from typing import Any

import pytest

from github_double.server import GitHubDouble
from github_double.world import CheckRun
from github_double.world import Repository as Hosted
from integration.daemon.serving import SECRET, Repository, Serving, git, wait_until

pytestmark = pytest.mark.timeout(180)

WORKFLOW = """
on: pull_request
jobs:
  test: {uses: script@v1, with: {script: 'sh check.sh'}}
"""
PEOPLE = {"owner": "admin", "stranger": "read"}


class PullRequest:
    """Number 7 of acme/digits, from a fork, and what GitHub tells of it."""

    def __init__(self, hub: GitHubDouble, home: Hosted, *, sha: str) -> None:
        self._hub, self._home, self.sha = hub, home, sha
        name = {"full_name": "acme/digits", "default_branch": "main"}
        self._pull = {
            "number": 7,
            "title": "Better digits",
            "state": "open",
            "user": {"login": "stranger", "type": "User"},
            "head": {"ref": "change", "sha": sha, "repo": {"full_name": "stranger/digits"}},
            "base": {"ref": "main", "sha": sha, "repo": name},
        }
        home.pulls[7] = self._pull

    def open(self) -> None:
        self._tell("pull_request", sender="stranger", action="opened", number=7, pull_request=self._pull)

    def comment(self, text: str, *, by: str) -> None:
        user = {"login": by, "type": "User"}
        issue = {"number": 7, "pull_request": {}}
        self._tell(
            "issue_comment", sender=by, action="created", issue=issue, comment={"body": text, "user": user}
        )

    def press(self, check: CheckRun, identifier: str, *, by: str) -> None:
        told = {"head_sha": self.sha, "external_id": check.fields["external_id"]}
        action = {"identifier": identifier}
        self._tell("check_run", sender=by, action="requested_action", check_run=told, requested_action=action)

    def checks(self) -> list[CheckRun]:
        return self._home.runs_of(self.sha)

    def wait_for(self, *states: tuple[str, str | None]) -> list[CheckRun]:
        """The check runs, once they stand like that, oldest first."""
        wait_until(
            lambda: [run.state for run in self.checks()] == list(states), what=f"{states}", timeout_s=60
        )
        return self.checks()

    def _tell(self, event: str, *, sender: str, **payload: Any) -> None:
        repository = {"full_name": "acme/digits", "default_branch": "main"}
        told = {**payload, "repository": repository, "sender": {"login": sender}}
        assert self._hub.deliver(event, told).status_code == 202


@pytest.fixture
def pull_request(repository: Repository, on_github: Serving, hub: GitHubDouble) -> PullRequest:
    main = repository.commit({".windlass/workflows/ci.yaml": WORKFLOW, "check.sh": "true"})
    repository.push()
    git(repository.work, "checkout", "-q", "-b", "change")
    evil = WORKFLOW.replace("sh check.sh", "echo evil")
    sha = repository.commit({".windlass/workflows/ci.yaml": evil, "check.sh": "exit 3"})
    git(repository.work, "push", "-q", str(repository.bare), "HEAD:refs/pull/7/head")
    home = hub.world.add_repository("acme/digits", commits=(main, sha))
    home.permissions.update(PEOPLE)
    hub.world.install(home)
    on_github.start()
    hub.hook_url, hub.hook_secret = f"{on_github.address}/hooks/github", SECRET
    return PullRequest(hub, home, sha=sha)


def test_a_forks_pull_request_from_its_opening_to_a_second_try(pull_request: PullRequest) -> None:
    pull_request.open()
    (held,) = pull_request.wait_for(("completed", "action_required"))
    assert f"/ok-to-test {pull_request.sha}" in str(held.output)
    assert "approve" in [action["identifier"] for action in held.fields["actions"]]

    pull_request.comment(f"/ok-to-test {pull_request.sha}", by="stranger")
    pull_request.press(held, "approve", by="owner")
    (failed,) = pull_request.wait_for(("completed", "failure"))
    assert "exit code 3" in str(failed.output)  # the base's workflow ran the fork's code
    assert "evil" not in str(failed.output)

    pull_request.comment("/test no-such-workflow", by="owner")  # and is no hindrance
    pull_request.comment("/retest-failed", by="stranger")
    pull_request.comment("Once more, please:\n\n/retest-failed", by="owner")
    first, second = pull_request.wait_for(("completed", "failure"), ("completed", "failure"))
    assert first.fields["external_id"] != second.fields["external_id"]
