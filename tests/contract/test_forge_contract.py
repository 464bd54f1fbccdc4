"""What `Forge.post` promises everywhere (`forges/base.py`): notes of plain git, check runs and commit
statuses on GitHub."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from github_double.server import open_double
from github_double.world import Repository
from integration.daemon.serving import git
from integration.forges.posting import URL, app_account, check, open_forge
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import CommitStatus, Forge
from windlass_runner.forges.git import Git
from windlass_runner.forges.github.forge import Account, HostedRepository
from windlass_runner.forges.github.forge import GitHub as GitHubForge
from windlass_runner.forges.notes import NOTES_REF
from windlass_runner.forges.plain_git import PlainGit


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A forge with a repository of two commits. `open_forge`: another life of the daemon on the same
    repository; `shown`: all that people see on a commit; `pass_time`: some seconds go by; `take_away`: the
    repository is gone."""

    open_forge: Callable[[], Forge]
    repository: str
    commits: tuple[str, str]
    shown: Callable[[str], list[str]]
    pass_time: Callable[[], None]
    take_away: Callable[[], None]

    def status(self, text: str, *, sha: str | None = None, state: str = "running") -> CommitStatus:
        """One check whose title is the text, and the same as a note."""
        sha = sha or self.commits[0]
        checks = (check(state, title=text),)
        return CommitStatus(repository=self.repository, sha=sha, checks=checks, note=text)


def plain_git(folder: Path) -> Iterator[Bench]:
    bare = folder / "digits.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(folder, "clone", "-q", str(bare), "work")
    commits = []
    for message in ("first", "second"):
        git(folder / "work", "commit", "-q", "--allow-empty", "-m", message)
        commits.append(git(folder / "work", "rev-parse", "HEAD"))
    git(folder / "work", "push", "-q", "origin", "HEAD:main")

    def shown(sha: str) -> list[str]:
        done = subprocess.run(
            ["git", "-C", str(bare), "notes", f"--ref={NOTES_REF}", "show", sha],
            capture_output=True,
            text=True,
            check=False,
        )
        return [done.stdout.strip()] if done.returncode == 0 else []

    def through_mirror(_repository: str, _sha: str, _text: str) -> None:
        raise OperatorError("there is no repository any more")

    yield Bench(
        open_forge=lambda: PlainGit(
            git=Git(environment={"PATH": "/usr/bin:/bin"}), write_through_mirror=through_mirror
        ),
        repository=f"file://{bare}",
        commits=(commits[0], commits[1]),
        shown=shown,
        pass_time=lambda: None,
        take_away=lambda: bare.rename(folder / "gone"),
    )


def on_github(*, with_app: bool) -> Iterator[Bench]:
    commits = ("a" * 40, "b" * 40)
    with open_double() as hub:
        repository = hub.world.add_repository("acme/digits", commits=commits)
        hub.world.install(repository)
        token = hub.world.add_person("ada")
        personal = Account(name="ada", api_url=hub.url, read_token=lambda: token)
        account = app_account(hub) if with_app else personal
        yield Bench(
            open_forge=lambda: open_forge(hub, account),
            repository=URL,
            commits=commits,
            shown=lambda sha: _titles(repository, sha),
            pass_time=lambda: hub.world.clock.wait(30),
            take_away=hub.world.repositories.clear,
        )


def _titles(repository: Repository, sha: str) -> list[str]:
    """The newest status of a context hides the others; a check run stands for itself."""
    runs = [run.output["title"] for run in repository.runs_of(sha)]
    newest = {found["context"]: found["description"] for found in repository.statuses if found["sha"] == sha}
    return runs + list(newest.values())


@pytest.fixture(params=["git", "check runs", "commit statuses"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "git":
        yield from plain_git(tmp_path)
    else:
        yield from on_github(with_app=request.param == "check runs")


def test_a_status_stands_on_its_commit_alone(bench: Bench) -> None:
    first, second = bench.commits
    bench.open_forge().post(bench.status("half done"))
    assert bench.shown(first) == ["half done"]
    assert bench.shown(second) == []


def test_a_later_status_takes_the_place_of_the_one_there(bench: Bench) -> None:
    forge = bench.open_forge()
    for text, state in (("waits", "queued"), ("half done", "running"), ("all done", "success")):
        forge.post(bench.status(text, state=state))
        bench.pass_time()
    assert bench.shown(bench.commits[0]) == ["all done"]


def test_the_same_status_again_changes_nothing(bench: Bench) -> None:
    forge = bench.open_forge()
    for _ in range(3):
        forge.post(bench.status("all done", state="success"))
    assert bench.shown(bench.commits[0]) == ["all done"]


def test_another_life_goes_on_where_the_last_one_stopped(bench: Bench) -> None:
    bench.open_forge().post(bench.status("half done"))
    bench.pass_time()
    bench.open_forge().post(bench.status("half done"))
    bench.pass_time()
    bench.open_forge().post(bench.status("all done", state="success"))
    assert bench.shown(bench.commits[0]) == ["all done"]


def test_a_repository_that_is_gone_is_an_error_that_says_whose_turn_it_is(bench: Bench) -> None:
    forge = bench.open_forge()
    bench.take_away()
    with pytest.raises((OperatorError, UpstreamError)):
        forge.post(bench.status("half done"))


def test_repositories_of_one_account_are_posted_to_by_several_threads() -> None:
    with open_double() as hub:
        names = [f"acme/digits-{number}" for number in range(4)]
        repositories = [hub.world.add_repository(name, commits=("a" * 40,)) for name in names]
        hub.world.install(*repositories)
        account = app_account(hub)
        hosted = [HostedRepository(url=f"https://x/{name}", name=name, account=account) for name in names]
        forge = GitHubForge(hosted, clock=hub.world.clock, wait=hub.world.clock.wait)

        def post(url: str) -> None:
            for state in ("queued", "running", "success"):
                forge.post(
                    CommitStatus(repository=url, sha="a" * 40, checks=(check(state, title=url),), note="")
                )

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(post, [found.url for found in hosted]))
        for repository, found in zip(repositories, hosted, strict=True):
            (run,) = repository.runs_of("a" * 40)
            assert run.output["title"] == found.url
            assert run.states == [("queued", None), ("in_progress", None), ("completed", "success")]
        assert len(hub.requests("POST", "/access_tokens$")) == 1
