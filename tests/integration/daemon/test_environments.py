"""A deployment that waits for an approval, under a running daemon and through its lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from integration.daemon.serving import Repository, Serving, configure, wait_until

SETTINGS = """
[[environment]]
name = "production"
branches = ["main"]
approvers = ["ada"]
url = "https://digits.example.org"
[environment.secrets]
KEY = {env = "PRODUCTION_KEY"}
"""
DEPLOY = """
on: push
jobs:
  deploy:
    environment: production
    uses: script@v1
    env: {KEY: '${{ secrets.KEY }}'}
    with: {script: 'test "$KEY" = s3cret && echo deployed'}
"""


def windlass(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "USER": "root", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def shown(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(windlass(folder, "show", "--json").stdout)
    return found


def test_a_deployment_waits_through_two_lives_until_the_right_one_approves(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, more=SETTINGS)
    serving.environment["PRODUCTION_KEY"] = "s3cret"
    serving.start()
    sha = repository.push_workflow(DEPLOY)
    note = repository.wait_for_state(sha, "waiting")
    (job,) = note["workflows"][0]["jobs"]
    assert (job["state"], job["reason"]) == ("waiting", "waits for approval of production by ada")
    serving.kill()
    serving.start()
    assert serving.health()[1]["status"] == "ok"
    assert not list((tmp_path / "store/scratch").glob("*/attempts/*"))

    refused = windlass(tmp_path, "approve", "latest")
    assert refused.returncode == 3
    assert "root is not among those who may let 'production' through; ask ada" in refused.stderr
    other = windlass(tmp_path, "approve", "latest", "staging", "--as", "ada")
    assert "has no job that waits and is, or deploys to, 'staging'" in other.stderr

    told = windlass(tmp_path, "approve", "latest", "production", "--as", "ada", "--comment", "go")
    assert (told.returncode, told.stdout.split(": ")[1]) == (0, "deploy approved by ada\n"), told.stderr
    repository.wait_for_state(sha, "success")
    run = shown(tmp_path)
    assert run["jobs"][0]["gate"]["answers"][0]["actor"] == "ada"
    assert run["jobs"][0]["gate"]["answers"][0]["via"] == "command line of root"
    (found,) = map(json.loads, windlass(tmp_path, "deployments", "--json").stdout.splitlines())
    assert (found["environment"], found["state"], found["sha"], found["approved_by"]) == (
        "production",
        "success",
        sha,
        ["ada"],
    )
    assert found["url"] == "https://digits.example.org"
    listed = windlass(tmp_path, "deployments", "production").stdout
    assert "approved by ada" in listed
    text = windlass(tmp_path, "show").stdout
    assert "approved by ada: go" in text
    again = windlass(tmp_path, "approve", "latest", "--as", "ada")
    assert (again.returncode, "nothing new" in again.stdout) == (0, True)


def test_an_answer_that_was_written_down_before_a_kill_is_not_lost(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, more=SETTINGS)
    serving.environment["PRODUCTION_KEY"] = "s3cret"
    serving.start()
    sha = repository.push_workflow(DEPLOY)
    repository.wait_for_state(sha, "waiting")
    serving.kill()
    asked = windlass(tmp_path, "approve", "latest", "--as", "ada", "--timeout", "0.1")
    assert asked.returncode == 4
    serving.start()
    repository.wait_for_state(sha, "success")


def test_another_branch_does_not_deploy_and_a_rejection_fails_the_run(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, more=SETTINGS)
    serving.start()
    sha = repository.push_workflow(DEPLOY)
    repository.wait_for_state(sha, "waiting")
    rejected = windlass(tmp_path, "approve", "latest", "--reject", "--comment", "no", "--as", "Ada", "--json")
    assert json.loads(rejected.stdout)["answer"] == "rejected"
    note = repository.wait_for_state(sha, "failure")
    assert note["workflows"][0]["jobs"][0]["reason"] == "rejected by Ada: no"
    other = repository.commit({"more": "x"})
    repository.push("main:feature")
    note = repository.wait_for_state(other, "failure")
    assert note["workflows"][0]["jobs"][0]["reason"] == "'feature' may not deploy to production"


def test_a_run_that_waits_is_cancelled(tmp_path: Path, repository: Repository, serving: Serving) -> None:
    configure(tmp_path, repository, more=SETTINGS)
    serving.start()
    sha = repository.push_workflow(DEPLOY)
    repository.wait_for_state(sha, "waiting")
    assert windlass(tmp_path, "cancel", "latest", "--wait").returncode == 0
    repository.wait_for_state(sha, "cancelled")
    wait_until(lambda: not list((tmp_path / "store/scratch").glob("*")), what="an empty scratch")
