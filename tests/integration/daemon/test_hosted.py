"""A real daemon whose repository is on Gitea or GitLab: webhooks come in, statuses go out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from forge_doubles import gitea, gitlab
from forge_doubles.gitea import GiteaDouble
from forge_doubles.gitlab import GitLabDouble
from forge_doubles.http import opened
from integration.daemon.serving import SECRET, Repository, Serving, git, wait_until

ON_BOTH = "on: [push, pull_request]\njobs:\n  one: {uses: script@v1, with: {script: 'echo hello'}}\n"


@dataclass(kw_only=True)
class Hosted:
    """A daemon, the repository that it watches, and what its forge tells and shows."""

    serving: Serving
    repository: Repository
    forge: str
    tell: Callable[[str, dict[str, Any], str], tuple[Mapping[str, str], bytes]]
    """The headers and body with which the forge tells of something, given a delivery's id."""
    shown: Callable[[str], dict[str, str]]
    """The state of each status on a commit."""
    deployed: Callable[[], list[str]]
    """The states of what was deployed to `production`."""
    said: Callable[[], list[str]]
    """The comments on pull request 7 that the daemon wrote."""
    pull_ref: str
    ids: Iterator[int] = field(default_factory=itertools.count)

    def send(self, kind: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers, body = self.tell(kind, payload, f"d{next(self.ids)}")
        return self.serving.request("POST", f"/hooks/{self.forge}", body, dict(headers))

    def wait_for(self, sha: str, *states: str) -> None:
        wait_until(
            lambda: list(self.shown(sha).values()) == list(states), what=f"{states} on {sha}", timeout_s=60
        )

    def push_workflow(self, text: str = ON_BOTH) -> str:
        """A push, and its webhook."""
        sha = self.repository.push_workflow(text)
        move = {"ref": "refs/heads/main", "before": "0" * 40, "after": sha}
        if self.forge == "gitea":
            told = self.send("push", {**move, **_GITEA})
        else:
            told = self.send("Push Hook", {**move, **_GITLAB, "object_kind": "push", "user_username": "mona"})
        assert told[0] == 202, told
        return sha

    def propose(self, sha: str) -> None:
        """A stranger's pull request."""
        if self.forge == "gitea":
            stranger = {"ref": "main", "sha": sha, "repo": {"full_name": "eve/digits"}}
            base = {"ref": "main", "sha": sha, "repo": _GITEA["repository"]}
            pull = {"number": 7, "head": stranger, "base": base}
            told = self.send("pull_request", {**_GITEA, "action": "opened", "pull_request": pull})
        else:
            request = {
                "iid": 7,
                "action": "open",
                "source_branch": "main",
                "target_branch": "main",
                "source_project_id": 16,
                "target_project_id": 15,
                "last_commit": {"id": sha},
            }
            payload = {
                "object_kind": "merge_request",
                "object_attributes": request,
                "user": {"username": "eve"},
            }
            told = self.send("Merge Request Hook", {**_GITLAB, **payload})
        assert told[0] == 202, told

    def comment(self, text: str, *, by: str) -> None:
        """A comment on that pull request."""
        if self.forge == "gitea":
            issue = {"number": 7, "pull_request": {"merged": False}}
            comment = {"body": text, "user": {"login": by}}
            told = self.send(
                "issue_comment",
                {**_GITEA, "action": "created", "is_pull": True, "issue": issue, "comment": comment},
            )
        else:
            note = {"note": text, "noteable_type": "MergeRequest", "action": "create", "system": False}
            payload = {"object_kind": "note", "object_attributes": note, "merge_request": {"iid": 7}}
            told = self.send("Note Hook", {**_GITLAB, **payload, "user": {"username": by}})
        assert (told[0], told[1].get("events")) == (202, 1), told


_GITEA = {
    "repository": {"full_name": "acme/digits", "default_branch": "main"},
    "sender": {"login": "mona"},
}
_GITLAB = {"project": {"path_with_namespace": "acme/vision/digits", "default_branch": "main"}}


class _Everything:
    """Holds every commit: the double takes the daemon's word for what was pushed."""

    def __contains__(self, _sha: object) -> bool:
        return True


def on_gitea(tmp_path: Path, repository: Repository, serving: Serving) -> Iterator[Hosted]:
    with opened(GiteaDouble) as double:
        double.commits = _Everything()
        double.permissions = {"mona": "write", "eve": "read"}
        configure(
            tmp_path, repository, "gitea", name="acme/digits", api_url=double.api_url, token=gitea.TOKEN
        )
        yield Hosted(
            serving=serving,
            repository=repository,
            forge="gitea",
            tell=lambda kind, payload, id: gitea.webhook(kind, payload, delivery=id, secret=SECRET),
            shown=lambda sha: {name: one["status"] for name, one in double.newest(sha).items()},
            deployed=lambda: [
                one["status"]
                for sha in double.statuses
                for name, one in double.newest(sha).items()
                if name == "deployment: production"
            ],
            said=lambda: [one["body"] for one in double.comments.get(7, [])],
            pull_ref="refs/pull/7/head",
        )


def on_gitlab(tmp_path: Path, repository: Repository, serving: Serving) -> Iterator[Hosted]:
    with opened(GitLabDouble) as double:
        double.ref_of_any = ("branch", "main")
        double.users, double.members = {"mona": 4, "eve": 5}, {4: 30, 5: 20}
        name = "acme/vision/digits"
        configure(tmp_path, repository, "gitlab", name=name, api_url=double.api_url, token=gitlab.TOKEN)
        yield Hosted(
            serving=serving,
            repository=repository,
            forge="gitlab",
            tell=lambda kind, payload, id: gitlab.webhook(kind, payload, delivery=id, token=SECRET),
            shown=lambda sha: {name: one["status"] for name, one in double.newest(sha).items()},
            deployed=lambda: [state for _, state in double.deployed.told("production")],
            said=lambda: [one["body"] for one in double.notes.get(7, [])],
            pull_ref="refs/merge-requests/7/head",
        )


@pytest.fixture(params=[on_gitea, on_gitlab], ids=["gitea", "gitlab"])
def hosted(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Repository, serving: Serving
) -> Iterator[Hosted]:
    yield from request.param(tmp_path, repository, serving)


def configure(
    folder: Path, repository: Repository, forge: str, *, name: str, api_url: str, token: str
) -> None:
    (folder / "secret").write_text(SECRET)
    (folder / "token").write_text(token + "\n")
    (folder / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[credentials.bot]
api_url = "{api_url}"
token = {{file = "token"}}
webhook_secret = {{file = "secret"}}
[[repository]]
url = "{repository.bare}"
name = "{name}"
forge = "{forge}"
credentials = "bot"
poll_s = 0
[[host]]
engine = "process"
"""
    )


def test_a_push_that_is_told_is_run_and_shown_on_its_commit(hosted: Hosted) -> None:
    hosted.serving.start()
    sha = hosted.push_workflow()
    hosted.wait_for(sha, "success")
    assert hosted.repository.note(sha) is None


def test_a_strangers_request_waits_for_somebody_who_may_write(hosted: Hosted) -> None:
    hosted.serving.start()
    base = hosted.push_workflow()
    hosted.wait_for(base, "success")
    sha = hosted.repository.commit({"README": "from a stranger"})
    hosted.repository.push(f"HEAD:{hosted.pull_ref}")
    hosted.propose(sha)
    hosted.wait_for(sha, "pending")
    hosted.comment(f"/ok-to-test {sha}", by="eve")
    wait_until(
        lambda: any(line["event"] == "command.refused" for line in hosted.serving.log()),
        what="the stranger to be refused",
    )
    assert list(hosted.shown(sha).values()) == ["pending"]
    wait_until(lambda: len(hosted.said()) == 1, what="the answer")
    assert "only those who may write to this repository" in hosted.said()[0]
    hosted.comment(f"I have read it.\n\n/ok-to-test {sha}", by="mona")
    hosted.wait_for(sha, "success")


def test_what_is_deployed_is_told_to_the_forge(hosted: Hosted) -> None:
    hosted.serving.start()
    hosted.push_workflow(ON_BOTH.replace("one: {", "one: {environment: production, "))
    wait_until(lambda: hosted.deployed() == ["success"], what="the deployment", timeout_s=60)


def test_a_secret_that_is_wrong_starts_nothing(hosted: Hosted) -> None:
    (hosted.serving.folder / "secret").write_text("another")
    hosted.serving.start()
    with pytest.raises(AssertionError, match="401"):
        hosted.push_workflow()


def test_a_token_that_is_gone_is_told_on_healthz_and_runs_go_on(hosted: Hosted) -> None:
    (hosted.serving.folder / "token").unlink()
    hosted.serving.start()
    sha = hosted.push_workflow()
    wait_until(
        lambda: "there is no token in the file" in str(hosted.serving.health()[1]), what="the missing token"
    )
    assert hosted.shown(sha) == {}
    (hosted.serving.folder / "token").write_text(gitea.TOKEN if hosted.forge == "gitea" else gitlab.TOKEN)
    hosted.wait_for(sha, "success")
    assert git(hosted.repository.bare, "rev-parse", "main") == sha
