"""Checks on GitHub, through everything that GitHub does to its clients."""

from __future__ import annotations

import logging
import threading
from itertools import pairwise

import pytest

from github_double.server import Fault, GitHubDouble
from github_double.world import Clock, Repository
from integration.forges.posting import (
    OTHER,
    SHA,
    URL,
    app_account,
    check,
    open_forge,
    shown,
    status,
)
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.forges.base import CheckAction, CheckAnnotation, NotYet
from windlass_runner.forges.github.forge import Account

SUCCESS, FAILURE = ("completed", "success"), ("completed", "failure")
RUNNING = ("in_progress", None)
WRITES = "/(check-runs|statuses)"


def annotations(count: int, *, first: int = 1) -> tuple[CheckAnnotation, ...]:
    return tuple(
        CheckAnnotation(path="train.py", line=line, end_line=line, level="warning", message=f"remark {line}")
        for line in range(first, first + count)
    )


# -- a check's life -------------------------------------------------------------------------------


def test_a_check_run_is_made_complete_then_changed_then_concluded(
    hub: GitHubDouble, repository: Repository
) -> None:
    forge = open_forge(hub)
    action = CheckAction(label="Cancel", description="Stop this run", identifier="cancel")
    started = hub.world.clock()
    forge.post(status(check(url="https://ci.example.org/r1", started_at=started, actions=(action,))))
    (run,) = repository.runs_of(SHA)
    assert run.state == RUNNING
    assert run.output["title"] == "ci is running"
    assert run.fields["external_id"] == "r1"
    assert run.fields["details_url"] == "https://ci.example.org/r1"
    assert run.fields["actions"] == [
        {"label": "Cancel", "description": "Stop this run", "identifier": "cancel"}
    ]
    assert [seen.method for seen in hub.writes()] == ["POST"]

    hub.world.clock.wait(2)
    forge.post(status(check(summary="Half of it.")))
    assert run.output["summary"] == "Half of it."

    forge.post(status(check("success", summary="All of it.", completed_at=started + 60)))
    assert run.state == SUCCESS
    assert run.states == [RUNNING, SUCCESS]
    assert run.fields["actions"] == []
    assert len(repository.runs_of(SHA)) == 1


def test_what_is_posted_already_is_not_posted_again(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check(), check("queued", name="docs")))
    count = len(hub.seen)
    forge.post(status(check(), check("queued", name="docs")))
    assert len(hub.seen) == count


def test_each_check_of_a_commit_has_a_check_run_of_its_own(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check("failure"), check("skipped", name="docs"), check("waiting", name="deploy")))
    assert shown(repository) == {
        "ci": FAILURE,
        "docs": ("completed", "skipped"),
        "deploy": ("completed", "action_required"),
    }


def test_an_approved_check_goes_on_from_action_required(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    for state in ("waiting", "running", "success"):
        forge.post(status(check(state)))
    (run,) = repository.runs_of(SHA)
    assert run.states == [("completed", "action_required"), RUNNING, SUCCESS]


def test_a_rerun_makes_a_check_run_of_its_own(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check("failure", run="r1")))
    forge.post(status(check("queued", run="r2")))
    forge.post(status(check("success", run="r2")))
    first, second = repository.runs_of(SHA)
    assert (first.state, second.state) == (FAILURE, SUCCESS)
    assert (first.fields["external_id"], second.fields["external_id"]) == ("r1", "r2")


@pytest.mark.parametrize("is_another_life", [False, True])
def test_a_check_run_that_a_newer_one_replaced_does_not_go_on(
    hub: GitHubDouble, repository: Repository, *, is_another_life: bool
) -> None:
    forge = open_forge(hub)
    forge.post(status(check(run="r1"), check(name="docs")))
    hub.world.clock.wait(10)
    (open_forge(hub) if is_another_life else forge).post(status(check("queued", run="r2")))
    first, docs, second = repository.runs_of(SHA)
    assert [first.state, docs.state, second.state] == [("completed", "neutral"), RUNNING, ("queued", None)]
    assert first.output["title"] == "a newer run took its place"


def test_two_commits_do_not_share_their_checks(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check("success")))
    forge.post(status(check("failure"), sha=OTHER))
    assert shown(repository) == {"ci": SUCCESS}
    assert shown(repository, sha=OTHER) == {"ci": FAILURE}


# -- nothing is doubled -----------------------------------------------------------------------------


def test_after_a_restart_the_check_run_is_found_again(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(check()))
    open_forge(hub).post(status(check("success")))
    (run,) = repository.runs_of(SHA)
    assert run.states == [RUNNING, SUCCESS]


def test_after_a_restart_the_newest_run_of_many_is_found(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    for number in range(130):
        forge.post(status(check("failure", run=f"r{number}")))
        hub.world.clock.wait(10)
    open_forge(hub).post(status(check("success", run="r129")))
    assert len(repository.runs_of(SHA)) == 130
    assert repository.runs_of(SHA)[-1].state == SUCCESS


def test_pages_that_are_shorter_than_asked_for_are_read_to_the_end(
    hub: GitHubDouble, repository: Repository
) -> None:
    forge = open_forge(hub)
    for number in range(5):
        forge.post(status(check("failure", run=f"r{number}")))
        hub.world.clock.wait(10)
    hub.world.longest_page = 2
    open_forge(hub).post(status(check("success", run="r0")))
    assert [run.state for run in repository.runs_of(SHA)] == [SUCCESS, *[FAILURE] * 4]


def test_another_apps_check_of_the_same_name_is_left_alone(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(check()))
    (theirs,) = repository.runs_of(SHA)
    theirs.app_id += 1
    open_forge(hub).post(status(check("success")))
    assert theirs.state == RUNNING
    assert [run.state for run in repository.runs_of(SHA)] == [RUNNING, SUCCESS]


def test_a_check_run_whose_app_is_not_told_is_found_again(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(check()))
    hub.world.tells_app = False
    open_forge(hub).post(status(check("success")))
    assert [run.state for run in repository.runs_of(SHA)] == [SUCCESS]


def test_a_write_whose_answer_is_lost_is_not_done_twice(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    hub.plan(Fault(method="POST", path="/check-runs$", cut=True, has_effect=True))
    with pytest.raises(UpstreamError) as caught:
        forge.post(status(check(annotations=annotations(3))))
    assert (caught.value.retry_after_s or 0) >= 2
    forge.post(status(check("success", annotations=annotations(4))))
    (run,) = repository.runs_of(SHA)
    assert run.state == SUCCESS
    assert [found["start_line"] for found in run.annotations] == [1, 2, 3, 4]


# -- limits -----------------------------------------------------------------------------------------


def test_many_annotations_come_fifty_at_a_time_and_each_once(
    hub: GitHubDouble, repository: Repository
) -> None:
    forge = open_forge(hub)
    forge.post(status(check("failure", annotations=annotations(120))))
    (run,) = repository.runs_of(SHA)
    assert [found["start_line"] for found in run.annotations] == list(range(1, 121))
    counts = [len(seen.body["output"].get("annotations", ())) for seen in hub.writes()]
    assert counts == [50, 50, 20]

    forge.post(status(check("failure", annotations=annotations(121))))
    assert [found["start_line"] for found in run.annotations] == list(range(1, 122))


def test_annotations_cut_off_by_a_kill_are_completed(hub: GitHubDouble, repository: Repository) -> None:
    hub.plan(Fault(method="PATCH", path="/check-runs/", cut=True, has_effect=True))
    with pytest.raises(UpstreamError):
        open_forge(hub).post(status(check("failure", annotations=annotations(120))))
    (run,) = repository.runs_of(SHA)
    assert len(run.annotations) == 100
    open_forge(hub).post(status(check("failure", annotations=annotations(120))))
    assert [found["start_line"] for found in run.annotations] == list(range(1, 121))


def test_annotations_that_stand_in_an_object_are_known(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(check(annotations=annotations(3))))
    hub.world.wraps_annotations = True
    open_forge(hub).post(status(check("failure", annotations=annotations(4))))
    (run,) = repository.runs_of(SHA)
    assert run.state == FAILURE
    assert [found["start_line"] for found in run.annotations] == [1, 2, 3, 4]
    assert len(hub.take_violations()) == 1  # the object


def test_the_same_remark_twice_is_one_annotation(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(check("failure", annotations=annotations(2) + annotations(2))))
    (run,) = repository.runs_of(SHA)
    assert len(run.annotations) == 2


def test_huge_texts_are_cut_and_say_so(hub: GitHubDouble, repository: Repository) -> None:
    text = "Größe 🐉\n" * 20_000
    open_forge(hub).post(status(check("failure", summary=text, text=text, title="t" * 999)))
    (run,) = repository.runs_of(SHA)
    assert run.state == FAILURE
    assert "that GitHub takes" in run.output["summary"]
    assert "that GitHub takes" in run.output["text"]


def test_a_fresh_check_run_that_is_not_there_yet_is_waited_for(
    hub: GitHubDouble, repository: Repository
) -> None:
    hub.world.settles_after_s = 2.5
    open_forge(hub).post(status(check("failure", annotations=annotations(60))))
    (run,) = repository.runs_of(SHA)
    assert len(run.annotations) == 60
    assert [seen.status for seen in hub.writes()].count(404) >= 1


def test_a_check_run_that_is_gone_is_made_anew(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    repository.check_runs.clear()
    hub.world.clock.wait(3600)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_writes_keep_a_second_between_them(hub: GitHubDouble, repository: Repository) -> None:
    open_forge(hub).post(status(*(check(name=f"job {number}") for number in range(10))))
    times = [seen.at for seen in hub.writes()]
    assert len(times) == 10
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


def test_a_busy_day_never_runs_into_the_limits(hub: GitHubDouble, repository: Repository) -> None:
    """Progress every second for two hours, and a run that ends every minute."""
    forge, clock = open_forge(hub), hub.world.clock
    start, late = clock(), []
    for second in range(0, 7200, 5):
        run, is_end = f"r{second // 60}", second % 60 == 55
        state = "success" if is_end else "running"
        try:
            forge.post(status(check(state, run=run, summary=f"{second} s")))
        except NotYet:
            late += [second] if is_end else []
        clock.now = max(clock.now, start + second + 5)
    assert late == []
    assert [seen.status for seen in hub.writes() if seen.status >= 400] == []
    assert [run.state for run in repository.runs_of(SHA)] == [SUCCESS] * 120


def test_what_ends_goes_before_what_only_goes_on(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check(name="slow"), check(name="quick")))
    with pytest.raises(NotYet):
        forge.post(status(check(name="slow", summary="Half."), check("success", name="quick")))
    assert shown(repository) == {"slow": RUNNING, "quick": SUCCESS}
    hub.world.clock.wait(2)
    forge.post(status(check(name="slow", summary="Half."), check("success", name="quick")))
    assert repository.runs_of(SHA)[0].output["summary"] == "Half."


@pytest.mark.parametrize(
    ("fault", "retry_after_s"),
    [
        (
            Fault(
                path=WRITES,
                status=403,
                message="You have exceeded a secondary rate limit. Please wait.",
                headers={"Retry-After": "90"},
            ),
            90,
        ),
        (Fault(path=WRITES, status=429, message="Too many requests", headers={"Retry-After": "7"}), 7),
        (Fault(path=WRITES, status=429, message="Too many requests"), 60),
        (
            Fault(
                path=WRITES,
                status=403,
                message="API rate limit exceeded for installation ID 103.",
                headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000600"},
            ),
            600,
        ),
    ],
)
def test_a_limit_is_waited_out_without_another_request(
    hub: GitHubDouble, repository: Repository, fault: Fault, retry_after_s: float
) -> None:
    forge = open_forge(hub)
    hub.plan(fault)
    with pytest.raises(UpstreamError) as caught:
        forge.post(status(check()))
    assert caught.value.retry_after_s == pytest.approx(retry_after_s, abs=2)

    count = len(hub.seen)
    with pytest.raises(UpstreamError):
        forge.post(status(check()))
    assert len(hub.seen) == count

    hub.world.clock.wait(retry_after_s)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_the_hours_calls_used_up_are_waited_for(hub: GitHubDouble, repository: Repository) -> None:
    hub.world.hourly_limit = 3
    forge = open_forge(hub)
    forge.post(status(check()))
    hub.world.clock.wait(10)
    with pytest.raises(UpstreamError) as caught:
        forge.post(status(check("success")))
    assert 3500 < (caught.value.retry_after_s or 0) < 3600
    hub.world.clock.wait(caught.value.retry_after_s or 0)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


# -- GitHub is ill ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=502, answer="html", message="Bad Gateway"),
        Fault(status=503),
        Fault(cut=True),
        Fault(status=200, answer="html"),
    ],
    ids=["500", "502", "503", "cut", "not GitHub"],
)
@pytest.mark.parametrize("step", range(5))
def test_whatever_fails_at_whatever_step_the_next_post_mends_it(
    hub: GitHubDouble, repository: Repository, fault: Fault, step: int
) -> None:
    """The steps: find the installation, get a token, ask the name, list what is there, write."""
    paths = ["/installation$", "/access_tokens$", "^/repos/acme/digits$", "/commits/", "/check-runs$"]
    forge = open_forge(hub)
    hub.plan(Fault(**{**vars(fault), "path": paths[step], "times": 1}))
    with pytest.raises(UpstreamError):
        forge.post(status(check()))
    hub.world.clock.wait(5)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_an_answer_that_does_not_come_is_not_waited_for_long(
    hub: GitHubDouble, repository: Repository
) -> None:
    forge, release = open_forge(hub, timeout_s=1), threading.Event()
    hub.plan(Fault(method="POST", path="/check-runs$", holds=release))
    with pytest.raises(UpstreamError, match="no answer in time"):
        forge.post(status(check()))
    release.set()
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


# -- who we are -------------------------------------------------------------------------------------


def test_a_token_is_renewed_before_its_hour_is_over(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    for _ in range(3):
        hub.world.clock.wait(3400)
        forge.post(status(check(summary=f"at {hub.world.clock()}")))
    assert len(hub.requests("POST", "/access_tokens$")) == 4
    assert [seen for seen in hub.seen if seen.status == 401] == []


def test_a_token_that_is_refused_is_renewed_once(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    hub.world.expire_tokens()
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}
    assert len([seen for seen in hub.seen if seen.status == 401]) == 1


@pytest.mark.parametrize("behind_s", [-7200, -90, 90, 7200])
def test_a_clock_that_goes_wrong_is_no_obstacle(
    hub: GitHubDouble, repository: Repository, behind_s: float
) -> None:
    ours = Clock(hub.world.clock() - behind_s)
    forge = open_forge(hub, clock=ours)
    forge.post(status(check()))
    for clock in (ours, hub.world.clock):
        clock.wait(3500)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_a_revoked_installation_is_named(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    hub.world.installations.clear()
    with pytest.raises(OperatorError, match="acme-app is not installed for acme/digits; install the App"):
        forge.post(status(check("success")))


def test_a_revoked_installation_that_was_named_is_named(hub: GitHubDouble, repository: Repository) -> None:
    (number,) = hub.world.installations
    forge = open_forge(hub, app_account(hub, installation=number))
    forge.post(status(check()))
    hub.world.installations.clear()
    with pytest.raises(OperatorError, match=rf"not installed any more \(installation {number}\)"):
        forge.post(status(check("success")))


def test_an_app_that_is_installed_again_is_found(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    hub.world.installations.clear()
    hub.world.install(repository)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_a_suspended_installation_is_the_owners_to_mend(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    next(iter(hub.world.installations.values())).is_suspended = True
    with pytest.raises(OperatorError, match="This installation has been suspended"):
        forge.post(status(check()))


def test_an_app_that_may_not_write_checks_is_told_so(hub: GitHubDouble, repository: Repository) -> None:
    next(iter(hub.world.installations.values())).permissions["checks"] = "read"
    with pytest.raises(OperatorError, match="not accessible by integration; give it the permission"):
        open_forge(hub).post(status(check()))


@pytest.mark.parametrize("key", [None, "", "-----BEGIN nonsense"])
def test_a_private_key_that_is_none_is_the_owners_to_mend(
    hub: GitHubDouble, repository: Repository, key: str | None
) -> None:
    with pytest.raises(OperatorError, match="private key"):
        open_forge(hub, app_account(hub, read_key=lambda: key)).post(status(check()))
    assert hub.seen == []


def test_a_renamed_repository_is_followed(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    repository.rename("acme/numbers")
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}

    open_forge(hub).post(status(check("failure", run="r2")))
    assert shown(repository) == {"ci": FAILURE}


def test_a_pull_request_of_a_renamed_repository_is_no_strangers(
    hub: GitHubDouble, repository: Repository
) -> None:
    def pull(number: int, head: str) -> None:
        base = {"ref": "main", "sha": SHA, "repo": {"full_name": repository.name}}
        source = {"ref": "change", "sha": SHA, "repo": {"full_name": head}}
        people = {"user": {"login": "ada"}, "state": "open"}
        repository.pulls[number] = {"number": number, "head": source, "base": base, **people}

    forge = open_forge(hub)
    forge.post(status(check()))
    repository.rename("acme/numbers")
    pull(7, "acme/numbers")
    pull(8, "eve/numbers")
    assert not forge.fetch_pull_request(URL, 7).is_fork
    assert forge.fetch_pull_request(URL, 8).is_fork
    found = open_forge(hub).fetch_pull_requests(URL, etag=None)
    assert found is not None
    assert {event.number: event.is_fork for event in found.events} == {7: False, 8: True}
    assert forge.address_of(repository.id) == URL


def test_a_repository_given_to_others_is_followed(hub: GitHubDouble, repository: Repository) -> None:
    forge = open_forge(hub)
    forge.post(status(check()))
    repository.rename("beta/digits")
    hub.world.installations.clear()
    hub.world.install(repository)
    forge.post(status(check("success")))
    assert shown(repository) == {"ci": SUCCESS}


def test_a_repository_that_is_not_there_is_the_owners_to_mend(hub: GitHubDouble) -> None:
    other = hub.world.add_repository("acme/other")
    number = hub.world.install(other).id
    with pytest.raises(OperatorError, match="404 to /repos/acme/digits: Not Found; check the name"):
        open_forge(hub, app_account(hub, installation=number)).post(status(check()))


def test_a_commit_that_github_does_not_have_is_given_up(
    hub: GitHubDouble, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    open_forge(hub).post(status(check(), sha="c" * 40))
    assert "is not at GitHub" in caplog.text


def test_a_commit_whose_checks_cannot_be_listed_gets_one_all_the_same(
    hub: GitHubDouble, repository: Repository
) -> None:
    hub.plan(Fault(method="GET", path="/check-runs$", status=404))
    open_forge(hub).post(status(check()))
    assert shown(repository) == {"ci": RUNNING}


# -- a personal token -------------------------------------------------------------------------------


@pytest.fixture
def personal(hub: GitHubDouble) -> Account:
    token = hub.world.add_person("ada")
    return Account(name="ada", api_url=hub.url, read_token=lambda: token)


def test_with_a_personal_token_statuses_stand_in(
    hub: GitHubDouble, repository: Repository, personal: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    forge = open_forge(hub, personal)
    assert caplog.text.count("commit statuses stand in for check runs") == 1
    forge.post(status(check(url="https://ci.example.org/r1"), check("neutral", name="docs")))
    forge.post(status(check("timed_out", title="t" * 200), check("neutral", name="docs")))
    told = [(found["context"], found["state"]) for found in repository.statuses]
    assert told == [("ci", "pending"), ("docs", "success"), ("ci", "failure")]
    assert repository.statuses[0]["target_url"] == "https://ci.example.org/r1"
    assert len(repository.statuses[2]["description"]) == 140
    assert caplog.text.count("commit statuses stand in") == 1


def test_after_a_restart_no_status_is_doubled(
    hub: GitHubDouble, repository: Repository, personal: Account
) -> None:
    open_forge(hub, personal).post(status(check("success"), check("queued", name="docs", title="")))
    open_forge(hub, personal).post(status(check("success"), check("queued", name="docs", title="")))
    assert len(repository.statuses) == 2


def test_a_personal_token_that_is_refused_is_read_again(hub: GitHubDouble, repository: Repository) -> None:
    tokens = ["ghp_old", hub.world.add_person("ada")]
    forge = open_forge(hub, Account(name="ada", api_url=hub.url, read_token=lambda: tokens[0]))
    with pytest.raises(OperatorError, match="401 to /repos/acme/digits: Bad credentials"):
        forge.post(status(check()))
    del tokens[0]
    forge.post(status(check()))
    assert len(repository.statuses) == 1


def test_without_a_token_nothing_is_asked(hub: GitHubDouble, repository: Repository) -> None:
    with pytest.raises(OperatorError, match="ada has no token"):
        open_forge(hub, Account(name="ada", api_url=hub.url, read_token=lambda: None)).post(status(check()))
    assert hub.seen == []


# -- what leaks ----------------------------------------------------------------


def test_no_secret_is_in_what_is_logged_or_raised(
    hub: GitHubDouble, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    forge = open_forge(hub)
    forge.post(status(check()))
    hub.plan(Fault(path="/check-runs/", status=500))
    with pytest.raises(UpstreamError) as caught:
        forge.post(status(check("success")))
    secrets = [*hub.world.tokens, "eyJ"]
    assert not any(secret in caplog.text or secret in str(caught.value) for secret in secrets)
