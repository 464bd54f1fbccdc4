"""GitHub at its worst: deliveries lost, doubled and out of order, a daemon killed in between, and checks
that tell the truth in the end."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from github_double.server import GitHubDouble
from integration.daemon.serving import SECRET, Repository, Serving, git, wait_until
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage

pytestmark = pytest.mark.timeout(300)

PUSHES, DELIVERIES, DROPPED = 24, 1000, 0.3
WORKFLOW = """
on: push
jobs:
  one: {uses: script@v1, with: {script: 'echo one'}}
  two: {needs: [one], uses: script@v1, with: {script: '%s'}}
"""


def push_all(repository: Repository) -> dict[str, str]:
    """Branches with a commit each; every third one fails. Branch by commit."""
    branches = {}
    for number in range(PUSHES):
        text = WORKFLOW % ("exit 3" if number % 3 == 0 else "echo two")
        sha = repository.commit({".windlass/workflows/ci.yaml": text, "number": str(number)})
        branches[sha] = f"b{number}"
    git(
        repository.work,
        "push",
        "-q",
        str(repository.bare),
        *(f"{s}:refs/heads/{b}" for s, b in branches.items()),
    )
    return branches


def delivery(sha: str, branch: str) -> tuple[bytes, dict[str, str]]:
    payload = {
        "ref": f"refs/heads/{branch}",
        "before": "0" * 40,
        "after": sha,
        "created": True,
        "deleted": False,
        "forced": False,
        "commits": [],
        "head_commit": {"id": sha, "message": "a change"},
        "repository": {"full_name": "acme/digits"},
        "sender": {"login": "ada"},
    }
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def storm(serving: Serving, branches: dict[str, str], answers: Counter[int], is_up: threading.Event) -> None:
    """Some pushes are never told; the others many times, under one id and under several. What is under way
    when the daemon is killed is lost."""
    dice = random.Random(7)
    told = [push for push in branches.items() if dice.random() > DROPPED]
    calls = [
        (*delivery(*dice.choice(told)), f"id-{dice.randrange(DELIVERIES // 3)}") for _ in range(DELIVERIES)
    ]

    def send(call: tuple[bytes, dict[str, str], str]) -> None:
        body, headers, guid = call
        is_up.wait(30)
        address = serving.address.removeprefix("http://")
        with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            try:
                connection.request("POST", "/hooks/github", body, {**headers, "X-GitHub-Delivery": guid})
                answers[connection.getresponse().status] += 1
            except (OSError, http.client.HTTPException):
                answers[0] += 1  # GitHub does not send it again

    with ThreadPoolExecutor(16) as senders:
        list(senders.map(send, calls))


def test_nothing_is_lost_or_doubled_and_every_check_is_right_in_the_end(
    repository: Repository, on_github: Serving, hub: GitHubDouble, tmp_path: Path
) -> None:
    serving = on_github
    branches = push_all(repository)
    home = hub.world.add_repository("acme/digits", commits=tuple(branches))
    hub.world.install(home)
    serving.start()
    answers: Counter[int] = Counter()
    is_up = threading.Event()
    is_up.set()
    sending = threading.Thread(target=storm, args=(serving, branches, answers, is_up))
    sending.start()
    for taken in (100, 400):
        wait_until(lambda taken=taken: answers.total() > taken, what="deliveries")
        is_up.clear()
        serving.kill()
        serving.start()
        is_up.set()
    sending.join()

    ledger = Ledger.open(Storage(tmp_path / "store").ledger)

    def is_over() -> bool:
        runs = ledger.runs.list(limit=1000)
        return len(runs) >= PUSHES and all(run.ended_at for run in runs)

    def final_checks() -> dict[str, list[tuple[str, str | None]]]:
        return {sha: [run.state for run in home.runs_of(sha)] for sha in branches}

    wait_until(is_over, what="the end of all runs", timeout_s=120)
    runs = ledger.runs.list(limit=1000)
    expected = {sha: "failure" if int(branch[1:]) % 3 == 0 else "success" for sha, branch in branches.items()}
    assert Counter(run.sha for run in runs) == Counter(dict.fromkeys(branches, 1))
    assert {run.sha: run.state for run in runs} == expected
    assert set(answers) <= {0, 202, 503}
    assert answers[202] > DELIVERIES / 2

    right = {sha: [("completed", state)] for sha, state in expected.items()}
    wait_until(lambda: final_checks() == right, what="the last check", timeout_s=120)
    assert {run.fields["external_id"] for run in home.check_runs.values()} == {run.id for run in runs}
    for run in runs:
        assert ledger.runs.attempts(run.id)[0].number == 1
        assert len(ledger.runs.attempts(run.id)) == 2  # each job was tried once, also where it failed
    ledger.close()
