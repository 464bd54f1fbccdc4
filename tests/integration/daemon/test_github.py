"""A real daemon whose repository is on GitHub: a push comes in by webhook or poll, checks go out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from github_double.server import Fault, GitHubDouble, open_double
from github_double.world import Repository as Hosted
from github_double.world import World, private_key, real_clock
from integration.daemon.git_http import git_over_http
from integration.daemon.serving import QUICK, Repository, Serving, wait_until
from integration.daemon.test_reconciling import pull_request

SUCCESS = ("completed", "success")
TWO_JOBS = """
on: push
jobs:
  train: {uses: script@v1, with: {script: 'echo "::warning file=train.py,line=3::slow"; echo hello'}}
  test: {needs: [train], uses: script@v1, with: {script: 'exit 3'}}
"""

TWO_OUTPUTS = """
on: push
jobs:
  train:
    outputs: {all: {type: volume}, weights: {type: artifact}}
    uses: script@v1
    with: {script: 'mkdir -p /outputs/all && echo deep > /outputs/all/one && echo hello > /outputs/weights'}
"""


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double(World(clock=real_clock())) as double:
        yield double


@pytest.fixture
def hosted(hub: GitHubDouble) -> Hosted:
    hosted = hub.world.add_repository("acme/digits")
    hub.world.install(hosted)
    return hosted


@pytest.fixture
def on_github(
    tmp_path: Path, hub: GitHubDouble, hosted: Hosted, repository: Repository, serving: Serving
) -> Iterator[Serving]:
    """The daemon reaches git over HTTP with an installation's token, and GitHub's API at the double."""

    def is_welcome(header: str) -> bool:
        return b64decode(header.removeprefix("Basic ")).decode().partition(":")[2] in hub.world.tokens

    with git_over_http(repository.bare.parent, is_welcome=is_welcome) as address:
        configure(tmp_path, f"{address}/{repository.bare.name}", hub)
        yield serving


def configure(folder: Path, url: str, hub: GitHubDouble) -> None:
    key = folder / "app.pem"
    key.write_text(private_key())
    (folder / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[credentials.app]
api_url = "{hub.url}"
app_id = {hub.world.app_id}
private_key = {{file = "app.pem"}}
[[repository]]
url = "{url}"
name = "acme/digits"
forge = "github"
credentials = "app"
poll_s = 0.3
[[host]]
engine = "process"
"""
    )


def set_in_repository(serving: Serving, line: str) -> None:
    settings = serving.folder / "windlass.toml"
    settings.write_text(settings.read_text().replace("poll_s", f"{line}\npoll_s"))


def read(url: str) -> bytes:
    with urlopen(url, timeout=20) as answer:
        content: bytes = answer.read()
    return content


def comment(hosted: Hosted) -> str:
    return "\n".join(found["body"] for found in hosted.comments.values())


def states(hosted: Hosted, sha: str) -> dict[str, tuple[str, str | None]]:
    return {run.fields["name"]: run.state for run in hosted.runs_of(sha)}


def wait_for_checks(hosted: Hosted, sha: str, wanted: dict[str, tuple[str, str | None]]) -> None:
    wait_until(lambda: states(hosted, sha) == wanted, what=f"{wanted} on {sha}", timeout_s=60)


def test_a_push_becomes_a_check_run_that_concludes(
    on_github: Serving, hosted: Hosted, repository: Repository
) -> None:
    on_github.start()
    sha = repository.commit({".windlass/workflows/ci.yaml": TWO_JOBS})
    hosted.commits.add(sha)
    repository.push()
    wait_until(
        lambda: [state for _, state in states(hosted, sha).values()] == ["failure"],
        what="the failure to be shown",
        timeout_s=60,
    )
    (run,) = hosted.runs_of(sha)
    assert run.states[-1] == ("completed", "failure")
    assert run.output["summary"]
    assert [(found["path"], found["start_line"]) for found in run.annotations] == [("train.py", 3)]
    assert repository.note(sha) is None


def test_by_setting_each_job_has_a_check_too(
    on_github: Serving, hosted: Hosted, repository: Repository
) -> None:
    set_in_repository(on_github, 'checks_per = "job"')
    on_github.start()
    sha = repository.commit({".windlass/workflows/ci.yaml": TWO_JOBS})
    hosted.commits.add(sha)
    repository.push()
    failed = ("completed", "failure")
    wanted = {"windlass / ci": failed, "windlass / ci / train": SUCCESS, "windlass / ci / test": failed}
    wait_for_checks(hosted, sha, wanted)
    assert len(hosted.runs_of(sha)) == 3


def test_by_setting_a_workflow_that_its_path_filters_skip_passes(
    on_github: Serving, hosted: Hosted, repository: Repository
) -> None:
    set_in_repository(on_github, 'skipped = "success"')
    on_github.start()
    repository.push_workflow()
    sha = repository.push_workflow("on: {push: {paths: [src/**]}}\n" + QUICK.partition("\n")[2], name="src")
    hosted.commits.add(sha)
    wait_for_checks(hosted, sha, {"windlass / ci": SUCCESS, "windlass / src": SUCCESS})
    (src,) = [run for run in hosted.runs_of(sha) if run.fields["name"] == "windlass / src"]
    assert "skipped: push to refs/heads/main: paths [src/**] include none" in src.output["title"]


def test_who_sees_a_check_may_fetch_what_its_job_put_out(
    on_github: Serving, hosted: Hosted, repository: Repository
) -> None:
    settings = on_github.folder / "windlass.toml"
    settings.write_text(settings.read_text().replace("[storage]", 'url = "https://ci.test"\n[storage]'))
    on_github.start()
    sha = repository.push_workflow(TWO_OUTPUTS)
    hosted.commits.add(sha)
    wait_for_checks(hosted, sha, {"windlass / ci": SUCCESS})
    (run,) = hosted.runs_of(sha)
    links = re.findall(r"<https://ci\.test(/artifacts/[^>]+)>", run.output["summary"])
    on_github.kill()
    on_github.start()
    answers = sorted(read(on_github.address + link) for link in links)
    assert answers[1] == b"hello\n"
    assert answers[0].startswith(b"all/\0")
    with pytest.raises(HTTPError, match="404"):
        read(on_github.address + links[0][:-1])


def test_by_setting_a_pull_request_has_one_comment_about_its_newest_commit(
    on_github: Serving, hub: GitHubDouble, hosted: Hosted, repository: Repository
) -> None:
    set_in_repository(on_github, 'comment = true\nwebhook_secret = {file = "secret"}')
    repository.push_workflow(QUICK.replace("push", "pull_request"))
    for action in ("opened", "synchronize"):
        on_github.start()
        hub.hook_url = f"{on_github.address}/hooks/github"
        sha = repository.commit({"change": action})
        repository.push("main:refs/pull/7/head")
        hosted.commits.add(sha)
        hub.deliver("pull_request", pull_request(7, sha, action=action))
        told = f"### Checks of <code>{sha[:7]}</code>"
        wait_until(lambda told=told: told in comment(hosted), what="the comment", timeout_s=60)
        wait_until(lambda: "| ✅ | ci | succeeded" in comment(hosted), what="the success", timeout_s=60)
        on_github.kill()
    assert len(hosted.comments) == 1


def test_what_was_not_posted_while_github_was_down_is_posted_by_the_next_life(
    on_github: Serving, hub: GitHubDouble, hosted: Hosted, repository: Repository
) -> None:
    outage = Fault(path="/check-runs", times=10_000, status=503)
    on_github.start()
    first = repository.push_workflow()
    hosted.commits.add(first)
    wait_until(lambda: len(hosted.runs_of(first)) == 1, what="the first check", timeout_s=60)
    hub.plan(outage)
    second = repository.commit({"more": "more"})
    hosted.commits.add(second)
    repository.push()
    wait_until(lambda: outage.times < 9_999, what="the outage to be met", timeout_s=60)
    assert on_github.health()[0] == 200
    on_github.kill()
    outage.times = 0
    on_github.start()
    wait_for_checks(hosted, second, dict.fromkeys(states(hosted, first), SUCCESS))
    wait_for_checks(hosted, first, dict.fromkeys(states(hosted, first), SUCCESS))
    assert [len(hosted.runs_of(sha)) for sha in (first, second)] == [1, 1]


def test_neither_log_nor_storage_holds_a_token(
    on_github: Serving, hub: GitHubDouble, hosted: Hosted, repository: Repository
) -> None:
    on_github.start()
    sha = repository.push_workflow()
    hosted.commits.add(sha)
    wait_until(lambda: SUCCESS in states(hosted, sha).values(), what="the check", timeout_s=60)
    on_github.stop()
    secrets = [token.encode() for token in hub.world.tokens]
    assert secrets
    kept = [path for path in on_github.folder.rglob("*") if path.is_file() and path.name != "app.pem"]
    for path in kept:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


def test_a_command_that_needs_no_github_does_not_load_its_client(tmp_path: Path) -> None:
    program = (
        "import sys, windlass_runner.daemon.wiring; "
        "print(sorted({'github', 'jwt', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "github" not in json.loads(done.stdout.replace("'", '"'))
