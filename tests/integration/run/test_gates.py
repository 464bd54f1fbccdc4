"""Jobs that deploy to an environment: they wait at its gate, and begin, or never do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.run.conftest import Runner, make_engine
from windlass_runner.ledger.gate_records import Answer
from windlass_runner.run.environments import EnvironmentRules

DEPLOY = """
jobs:
  build: {uses: script@v1, with: {script: 'echo built'}, checkout: false}
  deploy:
    needs: [build]
    environment: production
    uses: script@v1
    checkout: false
    env: {KEY: '${{ secrets.KEY }}'}
    with: {script: 'test "$KEY" = s3cret && echo "deployed with $KEY"'}
  after: {needs: [deploy], uses: script@v1, with: {script: 'true'}, checkout: false}
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Runner]:
    """A runner without isolation: what is tested lies before any container."""
    found = Runner(root=tmp_path, engine=make_engine("process", tmp_path, ""), owner=uuid.uuid4().hex)
    found.secrets["KEY"] = "everybody's"
    yield found
    found.close()


def production(**more: object) -> dict[str, EnvironmentRules]:
    told = {"approvals": 1, "secret": {"KEY": "s3cret"}.get, "url": "https://x.example.org", **more}
    return {"production": EnvironmentRules(name="production", **told)}  # type: ignore[arg-type]


def state(runner: Runner, run_id: str, key: str = "deploy") -> str:
    return next(job.state for job in runner.ledger.runs.jobs(run_id) if job.key == key)


def waiting(runner: Runner, run_id: str) -> None:
    runner.until(lambda: state(runner, run_id) == "waiting")


def answer(runner: Runner, run_id: str, actor: str = "ada", *, says: bool = True, said: str = "") -> None:
    told = Answer(actor=actor, is_approval=says, comment=said, at=time.time())
    assert runner.ledger.gates.answer(run_id, "deploy", told)
    runner.conductor.look_at_gates(run_id)


def test_a_job_waits_at_its_gate_and_goes_on_when_it_is_approved(here: Runner) -> None:
    here.environments = production()
    run_id = here.begin(DEPLOY)
    waiting(here, run_id)
    run = here.ledger.runs.get(run_id)
    assert (run.state, run.reason) == (
        "waiting",
        "deploy waits for approval of production by somebody who may write",
    )
    assert [path.name for path in (here.storage.scratch(run_id) / "attempts").glob("*deploy*")] == []
    answer(here, run_id, said="go")
    found = here.finished(run_id)
    assert found.states() == {"build": "success", "deploy": "success", "after": "success"}
    assert "deployed with ***" in found.log("deploy")
    (deployment,) = here.ledger.deployments.list()
    assert (deployment.environment, deployment.state, deployment.approved_by, deployment.url) == (
        "production",
        "success",
        ("ada",),
        "https://x.example.org",
    )


def test_a_rejected_job_fails_with_who_and_why(here: Runner) -> None:
    here.environments = production(approvals=2)
    run_id = here.begin(DEPLOY)
    waiting(here, run_id)
    answer(here, run_id)
    waiting(here, run_id)
    assert "2 approvals of production by somebody who may write (1 given, by ada)" in (
        here.ledger.runs.get(run_id).reason
    )
    answer(here, run_id, "bob", says=False, said="not on a Friday")
    found = here.finished(run_id)
    assert (found.state, found.jobs["deploy"].state) == ("failure", "failure")
    assert found.jobs["deploy"].reason == "rejected by bob: not on a Friday"
    assert found.jobs["after"].state == "skipped"
    assert here.ledger.deployments.list()[0].state == "failure"


def test_nobody_answers_in_time(here: Runner) -> None:
    here.environments = production(timeout_s=0.2, approvers=("ada", "bob"))
    found = here.finished(here.begin(DEPLOY))
    assert found.jobs["deploy"].state == "timed_out"
    assert found.jobs["deploy"].reason == (
        "nobody let it through within 0.2 s: approval of production by ada or bob"
    )


def test_a_pause_before_a_deployment_ends_by_itself(here: Runner) -> None:
    here.environments = production(approvals=0, wait_s=0.1)
    found = here.finished(here.begin(DEPLOY))
    assert found.state == "success"
    kinds = [event.kind for event in here.ledger.events.after(0, run_id=found.id)]
    assert kinds.count("job.waiting") == 1
    assert "job.queued" in kinds


def test_an_environment_that_nobody_described_has_no_gate(here: Runner) -> None:
    here.secrets["KEY"] = "s3cret"
    found = here.run(DEPLOY)
    assert found.state == "success"
    assert "deploys to 'production', which is not in the settings: it has no gate" in found.log("deploy")
    (deployment,) = here.ledger.deployments.list()
    assert (deployment.environment, deployment.state, deployment.approved_by) == ("production", "success", ())


@pytest.mark.parametrize(
    ("branches", "ref", "may"),
    [
        (("main", "release/*"), "refs/heads/release/2", True),
        (("main",), "refs/heads/feature", False),
        (("**", "!secret"), "refs/heads/secret", False),
        (("main",), "refs/tags/main", False),
        (("refs/tags/v*",), "refs/tags/v1", True),
    ],
)
def test_only_some_branches_deploy(here: Runner, branches: tuple[str, ...], ref: str, may: bool) -> None:
    here.environments = production(approvals=0, branches=branches)
    found = here.run(DEPLOY, ref=ref)
    assert found.jobs["deploy"].state == ("success" if may else "failure")
    if not may:
        assert (
            found.jobs["deploy"].reason == f"'{ref.removeprefix('refs/heads/')}' may not deploy to production"
        )


def test_a_fork_never_deploys(here: Runner) -> None:
    here.environments = production(approvals=0)
    found = here.run(DEPLOY, kind="pull_request", is_fork=True, base_ref="main", base_sha="2" * 40)
    assert found.jobs["deploy"].state == "skipped"
    assert found.jobs["deploy"].reason == "a fork's pull request does not deploy (production)"
    assert here.ledger.deployments.list() == []


def test_who_waits_is_ended_by_a_cancel(here: Runner) -> None:
    here.environments = production()
    run_id = here.begin(DEPLOY)
    waiting(here, run_id)
    here.conductor.cancel(run_id, reason="cancelled by hand")
    found = here.finished(run_id)
    assert (found.state, found.jobs["deploy"].state) == ("cancelled", "cancelled")
    assert here.ledger.deployments.list()[0].state == "cancelled"
    assert not here.ledger.gates.answer(run_id, "deploy", Answer(actor="ada", is_approval=True, at=0))


def test_a_run_waits_on_in_another_process_whatever_becomes_of_the_settings(here: Runner) -> None:
    here.environments = production(approvers=("ada",))
    run_id = here.begin(DEPLOY)
    waiting(here, run_id)
    here.conductor.close()
    here.environments, here.secrets["KEY"] = {}, "s3cret"
    here.conductor = here._conductor()
    here.conductor.begin(run_id)
    kinds = [event.kind for event in here.ledger.events.after(0, run_id=run_id)]
    assert kinds.count("job.waiting") == 1
    assert state(here, run_id) == "waiting"
    here.conductor.close()
    told = Answer(actor="ada", is_approval=True, at=time.time())
    assert here.ledger.gates.answer(run_id, "deploy", told)  # and nobody is told of it
    here.conductor = here._conductor()
    here.conductor.begin(run_id)
    assert here.finished(run_id).state == "success"


def test_the_name_of_an_environment_may_be_reckoned(here: Runner) -> None:
    here.environments = production()
    text = """
jobs:
  deploy:
    strategy: {matrix: {place: [staging, production]}}
    environment: ${{ matrix.place }}
    uses: script@v1
    checkout: false
    with: {script: 'true'}
"""
    run_id = here.begin(text)
    here.until(lambda: state(here, run_id, "deploy (staging)") == "success")
    assert state(here, run_id, "deploy (production)") == "waiting"
    told = Answer(actor="ada", is_approval=True, at=time.time())
    assert here.ledger.gates.answer(run_id, "deploy (production)", told)
    here.conductor.look_at_gates(run_id)
    assert here.finished(run_id).state == "success"


APPROVE = """
jobs:
  deploy:
    uses: approve@v1
    with:
      message: 'Ship ${{ inputs.what }}?'
      approvers: ada, @bob
      approvals: '${{ fromJSON(inputs.count) }}'
    outputs:
      approved-by: {type: string}
      comment: {type: string}
  ship:
    needs: [deploy]
    uses: script@v1
    checkout: false
    with: {script: 'echo "by ${{ needs.deploy.outputs.approved-by }}: ${{ needs.deploy.outputs.comment }}"'}
inputs:
  what: {type: string, default: it}
  count: {type: string, default: '2'}
"""


def test_an_approval_is_a_job_without_a_container(here: Runner) -> None:
    run_id = here.begin(APPROVE)
    waiting(here, run_id)
    assert here.ledger.runs.get(run_id).reason == "deploy waits for 2 approvals by ada or bob: Ship it?"
    answer(here, run_id, said="fine")
    answer(here, run_id, "Bob", said="$(reboot)")
    found = here.finished(run_id)
    assert found.state == "success"
    assert found.log("ship").strip().endswith("by ada, Bob: $(reboot)")
    assert (found.jobs["deploy"].attempt, here.ledger.deployments.list()) == (0, [])


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        ("3", "3 approvals cannot come from 2 people"),
        ("1.5", "1.5 approvals are no whole number"),
        ("0", "'approvals' must be above zero, not 0"),
    ],
)
def test_an_approval_that_nobody_could_give_fails(here: Runner, count: str, reason: str) -> None:
    found = here.run(APPROVE, inputs={"count": count})
    assert (found.jobs["deploy"].state, found.jobs["deploy"].reason) == ("failure", reason)


def test_an_approval_waits_on_in_another_process(here: Runner) -> None:
    run_id = here.begin(APPROVE, inputs={"count": "1"})
    waiting(here, run_id)
    here.conductor.close()
    told = Answer(actor="bob", is_approval=True, at=time.time())
    assert here.ledger.gates.answer(run_id, "deploy", told)
    here.conductor = here._conductor()
    here.conductor.begin(run_id)
    found = here.finished(run_id)
    assert found.log("ship").strip().endswith("by bob:")


def test_a_job_tells_itself_where_what_it_deployed_is_reached(here: Runner) -> None:
    text = """
jobs:
  deploy:
    environment: {name: preview, url: '${{ steps.up.outputs.url }}'}
    checkout: false
    steps: [{id: up, run: 'echo "url=https://pr-7.example.org" >> $GITHUB_OUTPUT'}]
"""
    assert here.run(text).state == "success"
    assert here.ledger.deployments.list()[0].url == "https://pr-7.example.org"


@pytest.mark.docker
def test_a_run_that_waits_keeps_nothing_on_the_host_but_files(docker_runner: Runner) -> None:
    docker_runner.environments = production()
    run_id = docker_runner.begin(DEPLOY)
    waiting(docker_runner, run_id)
    docker_runner.until(lambda: run_id not in docker_runner.engine.present_runs())
    answer(docker_runner, run_id)
    found = docker_runner.finished(run_id)
    assert found.states() == {"build": "success", "deploy": "success", "after": "success"}
