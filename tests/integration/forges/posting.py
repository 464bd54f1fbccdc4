"""A forge that posts to the double, on the double's own clock: nothing waits in earnest."""

from __future__ import annotations

from typing import Any

from github_double.server import GitHubDouble
from github_double.world import Clock, Repository, private_key
from windlass_runner.forges.base import Check, CommitStatus
from windlass_runner.forges.github.forge import Account, GitHub, HostedRepository

SHA, OTHER = "a" * 40, "b" * 40
URL = "https://github.com/acme/digits"


def check(state: str = "running", *, name: str = "ci", run: str = "r1", **more: Any) -> Check:
    values: dict[str, Any] = {"title": f"{name} is {state}", "summary": "So far.", **more}
    return Check(name=name, external_id=run, state=state, **values)


def status(*checks: Check, sha: str = SHA, url: str = URL) -> CommitStatus:
    return CommitStatus(repository=url, sha=sha, checks=checks, note="{}")


def app_account(hub: GitHubDouble, **changes: Any) -> Account:
    values = {"api_url": hub.url, "app_id": hub.world.app_id, "read_key": private_key, **changes}
    return Account(name="acme-app", **values)


def open_forge(
    hub: GitHubDouble, account: Account | None = None, *, clock: Clock | None = None, **more: Any
) -> GitHub:
    """Another life of the daemon each time. `clock`: ours, where it is not GitHub's."""
    ours = clock or hub.world.clock
    hosted = HostedRepository(url=URL, name="acme/digits", account=account or app_account(hub))
    return GitHub([hosted], clock=ours, wait=ours.wait, **more)


def shown(repository: Repository, *, sha: str = SHA) -> dict[str, tuple[str, str | None]]:
    """What people see on a commit: the newest check run of each name."""
    return {run.fields["name"]: run.state for run in repository.runs_of(sha)}
