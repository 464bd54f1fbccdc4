"""What every forge that shows checks on commits does with them: GitHub by check runs, others by statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from forge_doubles.gitea import TOKEN as GITEA_TOKEN
from forge_doubles.gitea import GiteaDouble
from forge_doubles.gitlab import TOKEN as GITLAB_TOKEN
from forge_doubles.gitlab import GitLabDouble
from forge_doubles.http import Fault, opened
from github_double.server import Fault as GitHubFault
from github_double.server import open_double
from integration.forges.posting import open_forge
from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import Check, CheckState, CommitStatus, Forge
from windlass_runner.forges.gitea.forge import Gitea
from windlass_runner.forges.gitlab.forge import GitLab

SHA, OTHER = "a" * 40, "b" * 40
URL = "https://github.com/acme/digits"
GREEN: Final = frozenset(["success", "neutral", "skipped"])
"""What a required check may say."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A forge on a server of its own. `shown` gives the word for the check of that name on a commit; `plan`
    lets the next write fail with that status; `wait` lets the forge's time pass."""

    open: Callable[[], Forge]
    shown: Callable[[str, str], str]
    writes: Callable[[], int]
    plan: Callable[[int], None]
    wait: Callable[[float], object] = lambda _seconds: None


def gitea(stack: ExitStack) -> Bench:
    double = stack.enter_context(opened(GiteaDouble))
    double.commits = {SHA, OTHER}
    return Bench(
        open=lambda: Gitea(
            api_url=double.api_url, token=lambda: GITEA_TOKEN, name_of=lambda _: "acme/digits"
        ),
        shown=lambda sha, name: str(double.newest(sha)[name]["status"]),
        writes=lambda: len(double.requests("POST")),
        plan=lambda status: double.faults.append(Fault(method="POST", status=status)),
    )


def gitlab(stack: ExitStack) -> Bench:
    double = stack.enter_context(opened(GitLabDouble))
    double.refs |= {SHA: [("branch", "main")], OTHER: [("branch", "main")]}
    return Bench(
        open=lambda: GitLab(
            api_url=double.api_url, token=lambda: GITLAB_TOKEN, name_of=lambda _: "acme/vision/digits"
        ),
        shown=lambda sha, name: str(double.newest(sha)[name]["status"]),
        writes=lambda: len(double.requests("POST")),
        plan=lambda status: double.faults.append(Fault(method="POST", status=status)),
    )


def github(stack: ExitStack) -> Bench:
    double = stack.enter_context(open_double())
    repository = double.world.add_repository("acme/digits", commits=(SHA, OTHER))
    double.world.install(repository)

    def shown(sha: str, name: str) -> str:
        run = next(run for run in repository.runs_of(sha) if run.fields["name"] == name)
        return str(run.state[1] or run.state[0])

    return Bench(
        open=lambda: open_forge(double),
        shown=shown,
        writes=lambda: len(double.writes()),
        plan=lambda status: double.plan(GitHubFault(method="POST", path="check-runs", status=status)),
        wait=double.world.clock.wait,
    )


@pytest.fixture(params=[gitea, gitlab, github], ids=["gitea", "gitlab", "github"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield request.param(stack)


def check(state: CheckState, *, name: str = "ci", title: str = "") -> Check:
    return Check(name=name, external_id="r1", state=state, title=title or f"{name} is {state}")


def status(*checks: Check, sha: str = SHA) -> CommitStatus:
    return CommitStatus(repository=URL, sha=sha, checks=checks, note="{}")


def test_a_check_is_shown_and_goes_on_to_its_end(bench: Bench) -> None:
    forge = bench.open()
    states: list[CheckState] = ["queued", "running", "success"]
    words = []
    for state in states:
        forge.post(status(check(state)))
        words.append(bench.shown(SHA, "ci"))
    assert words[-1] == "success"
    assert GREEN.isdisjoint(words[:-1])


@pytest.mark.parametrize("state", ["failure", "timed_out", "cancelled", "waiting", "queued", "running"])
def test_what_did_not_go_well_or_is_not_over_satisfies_no_rule(bench: Bench, state: CheckState) -> None:
    bench.open().post(status(check(state)))
    assert bench.shown(SHA, "ci") not in GREEN


@pytest.mark.parametrize("state", ["success", "neutral", "skipped"])
def test_a_required_check_does_not_hang_where_nothing_went_wrong(bench: Bench, state: CheckState) -> None:
    bench.open().post(status(check(state)))
    assert bench.shown(SHA, "ci") in GREEN


def test_posting_the_same_again_writes_nothing(bench: Bench) -> None:
    forge, both = bench.open(), status(check("success"), check("failure", name="lint"))
    forge.post(both)
    count = bench.writes()
    forge.post(both)
    assert bench.writes() == count


def test_another_life_leaves_what_stands_there_as_it_is(bench: Bench) -> None:
    bench.open().post(status(check("success")))
    bench.open().post(status(check("success"), check("failure", name="lint")))
    assert bench.shown(SHA, "ci") == "success"
    assert bench.shown(SHA, "lint") not in GREEN


def test_only_what_changed_is_written(bench: Bench) -> None:
    forge = bench.open()
    forge.post(status(check("running"), check("running", name="lint")))
    count = bench.writes()
    forge.post(status(check("success"), check("running", name="lint")))
    assert bench.writes() == count + 1
    assert bench.shown(SHA, "lint") not in GREEN


def test_a_check_that_is_run_again_is_shown_as_running(bench: Bench) -> None:
    forge = bench.open()
    forge.post(status(check("failure")))
    forge.post(status(check("queued")))
    assert bench.shown(SHA, "ci") not in {"failure", "failed"}
    forge.post(status(check("success")))
    assert bench.shown(SHA, "ci") == "success"


def test_commits_have_checks_of_their_own(bench: Bench) -> None:
    forge = bench.open()
    forge.post(status(check("success")))
    forge.post(status(check("failure"), sha=OTHER))
    assert bench.shown(SHA, "ci") == "success"
    assert bench.shown(OTHER, "ci") not in GREEN


def test_long_and_strange_texts_are_made_to_fit(bench: Bench) -> None:
    forge, long = bench.open(), check("success", name="c" * 300, title="it\nsays ü 🎉 " * 100)
    forge.post(status(long))
    count = bench.writes()
    forge.post(status(long))
    assert bench.writes() == count


@pytest.mark.parametrize("told", [500, 502, 503, 429])
def test_a_server_in_trouble_is_asked_again_later(bench: Bench, told: int) -> None:
    forge = bench.open()
    bench.plan(told)
    with pytest.raises(UpstreamError) as caught:
        forge.post(status(check("success")))
    bench.wait(caught.value.retry_after_s or 0.0)
    forge.post(status(check("success")))
    assert bench.shown(SHA, "ci") == "success"


def test_a_commit_that_is_not_there_any_more_holds_nothing_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    forge = bench.open()
    forge.post(status(check("success"), sha="c" * 40))
    assert "commit " + "c" * 40 in caplog.text
    forge.post(status(check("success")))
    assert bench.shown(SHA, "ci") == "success"
