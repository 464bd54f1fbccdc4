from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from integration.daemon.serving import QUICK, SECRET, Repository, Serving, configure, git, wait_until
from windlass_runner.forges.hook_script import post_receive_script
from windlass_runner.forges.signatures import sign
from windlass_runner.ledger.ledger import Ledger

pytestmark = pytest.mark.timeout(120)


def _ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "store" / "ledger.db")


def _runs(tmp_path: Path) -> list[Any]:
    with _ledger(tmp_path) as ledger:
        return list(ledger.runs.list(limit=1000))


def _signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Windlass-Signature-256": sign(body, secret), "Content-Type": "application/json"}


def _delivery(
    repository: Repository, sha: str, *, before: str = "0" * 40, ref: str = "refs/heads/main"
) -> bytes:
    told = {"repository": str(repository.bare), "ref": ref, "before": before, "after": sha}
    return json.dumps(told).encode()


def _one(script: str) -> str:
    """A workflow of one job."""
    return f"jobs: {{a: {{uses: script@v1, with: {{script: '{script}'}}}}}}\n"


def test_a_polled_push_is_run_once_and_stands_on_the_commit(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    sha = repository.push_workflow()
    note = repository.wait_for_state(sha, "success")
    assert [(w["name"], [j["state"] for j in w["jobs"]]) for w in note["workflows"]] == [("ci", ["success"])]
    assert [note.split(":")[0] for note in note["workflows"][0]["notes"]] == ["no lock"]
    assert len(_runs(tmp_path)) == 1
    assert serving.stop() == 0


def test_what_stands_there_before_our_time_is_not_run(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    old = repository.push_workflow()
    serving.start()
    new = repository.commit({})
    repository.push()
    repository.wait_for_state(new, "success")
    assert repository.note(old) is None


def test_what_was_pushed_while_the_daemon_was_down_is_run(repository: Repository, serving: Serving) -> None:
    serving.start()
    serving.stop()
    sha = repository.push_workflow()
    serving.start()
    repository.wait_for_state(sha, "success")


def test_hook_and_poller_together_run_a_push_once(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    hook = repository.bare / "hooks" / "post-receive"
    hook.write_text(post_receive_script(repository=str(repository.bare), server=serving.address))
    hook.chmod(0o755)
    (hook.parent / "windlass.secret").write_text(SECRET)
    (hook.parent / "windlass.secret").chmod(0o600)
    shas = []
    for _ in range(3):
        shas.append(repository.push_workflow(QUICK + f"# {len(shas)}\n"))
    for sha in shas:
        repository.wait_for_state(sha, "success")
    wait_until(lambda: serving.health()[1]["queue"]["inbox"] == 0, what="an empty inbox")
    assert len(_runs(tmp_path)) == 3


def test_with_polling_off_the_hook_is_enough(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, poll_s=0)
    serving.start()
    sha = repository.push_workflow()
    body = _delivery(repository, sha)
    assert serving.request("POST", "/hooks/git", body, _signed(body))[0] == 202
    assert serving.request("POST", "/hooks/git", body, _signed(body))[0] == 202
    repository.wait_for_state(sha, "success")
    again = body.replace(b"{", b"{ ", 1)
    assert serving.request("POST", "/hooks/git", again, _signed(again))[0] == 202
    wait_until(lambda: serving.health()[1]["queue"]["inbox"] == 0, what="an empty inbox")
    assert len(_runs(tmp_path)) == 1


def test_a_delivery_is_refused_by_what_is_wrong_with_it(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    configure(tmp_path, repository, poll_s=0)
    serving.start()
    body = _delivery(repository, "1" * 40)
    other = body.replace(b"digits", b"figures")
    half_a_pair = body.replace(b"{", b'{"delivery": "\\ud800", ', 1)
    cases = [
        (body, {}, 401),
        (body, _signed(body, "wrong"), 401),
        (body[:-5], _signed(body[:-5]), 400),
        (b"\xff", _signed(b"\xff"), 400),
        (half_a_pair, _signed(half_a_pair), 400),
        (other, _signed(other), 404),
        (b"x" * (26 * 1024 * 1024), _signed(b"x"), 413),
    ]
    assert [serving.request("POST", "/hooks/git", data, headers)[0] for data, headers, _ in cases] == [
        status for _, _, status in cases
    ]
    with _ledger(tmp_path) as ledger:
        assert ledger.inbox.counts().waiting == 0
    refused = [entry for entry in serving.log() if entry["event"] == "webhook.refused"]
    assert [entry["status"] for entry in refused] == [401, 401, 400, 400, 400]
    assert SECRET not in (tmp_path / "log").read_text()


def test_a_force_push_back_runs_again(tmp_path: Path, repository: Repository, serving: Serving) -> None:
    configure(tmp_path, repository, poll_s=0)
    serving.start()
    first = repository.push_workflow()
    second = repository.commit({})
    repository.push()
    moves = [("0" * 40, first), (first, second), (second, first)]
    for before, after in moves:
        body = _delivery(repository, after, before=before)
        assert serving.request("POST", "/hooks/git", body, _signed(body))[0] == 202
    wait_until(lambda: len(_runs(tmp_path)) == 3, what="three runs")
    assert sorted(run.sha for run in _runs(tmp_path)) == sorted([first, second, first])


def test_a_tag_is_run_as_its_commit(tmp_path: Path, repository: Repository, serving: Serving) -> None:
    serving.start()
    sha = repository.commit({".windlass/workflows/ci.yaml": "on: {push: {tags: ['v*']}}\n" + QUICK[9:]})
    repository.push()
    git(repository.work, "tag", "-a", "v1", "-m", "one")
    repository.push("v1")
    body = _delivery(repository, git(repository.work, "rev-parse", "v1"), ref="refs/tags/v1")
    assert serving.request("POST", "/hooks/git", body, _signed(body))[0] == 202
    repository.wait_for_state(sha, "success")
    wait_until(lambda: serving.health()[1]["queue"]["inbox"] == 0, what="an empty inbox")
    assert [(run.ref, run.sha) for run in _runs(tmp_path)] == [("refs/tags/v1", sha)]


def test_files_that_cannot_run_are_failed_checks_and_the_others_run(
    repository: Repository, serving: Serving
) -> None:
    serving.start()
    (repository.work / ".gradient/workflows").mkdir(parents=True)
    (repository.work / ".gradient/workflows/link.yaml").symlink_to("/etc/passwd")
    files = {
        ".windlass/workflows/good.yaml": QUICK,
        ".windlass/workflows/broken.yaml": "jobs: [",
        ".windlass/workflows/unknown.yaml": "on: push\njobs: {a: {uses: nothing@v9}}",
        ".windlass/workflows/never.yaml": "on: {push: {branches: [other]}}\njobs: {a: {uses: nothing@v9}}",
        ".windlass/workflows/binary.yml": "\x00\x01",
        ".windlass/workflows/gpu.yaml": "on: push\ndefaults: {resources: {gpu: 1}}\n" + _one("x"),
    }
    sha = repository.commit(files)
    repository.push()
    note = repository.wait_for_state(sha, "failure")
    states = {Path(w["path"]).stem: w["state"] for w in note["workflows"]}
    assert states == {
        "good": "success",
        "broken": "failure",
        "unknown": "failure",
        "binary": "failure",
        "gpu": "failure",
        "link": "failure",
    }
    reasons = {Path(w["path"]).stem: w.get("reason", "") for w in note["workflows"]}
    assert "is a link" in reasons["link"]
    assert "nothing" in reasons["unknown"]
    assert "cannot do yet" in reasons["gpu"]
    broken = next(w for w in note["workflows"] if w["name"] == "broken")
    assert broken["annotations"][0]["file"] == ".windlass/workflows/broken.yaml"


def test_a_killed_daemon_goes_on_and_runs_nothing_twice(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    mark = tmp_path / "marks"
    gate = tmp_path / "gate"
    script = f"echo run >> {mark}; while [ ! -e {gate} ]; do sleep 0.05; done"
    jobs = (
        f"jobs:\n  a: {{uses: script@v1, with: {{script: '{script}'}}}}\n"
        f"  b: {{needs: [a], uses: script@v1, with: {{script: 'echo end >> {mark}'}}}}\n"
    )
    sha = repository.push_workflow("on: push\n" + jobs)
    wait_until(mark.exists, what="the job")
    serving.kill()
    serving.start()
    assert repository.wait_for_state(sha, "running")
    gate.touch()
    repository.wait_for_state(sha, "success")
    assert mark.read_text() == "run\nend\n"
    assert len(_runs(tmp_path)) == 1


def test_a_stopped_daemon_leaves_jobs_running(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    mark, gate = tmp_path / "marks", tmp_path / "gate"
    script = f"echo run >> {mark}; while [ ! -e {gate} ]; do sleep 0.05; done; echo done >> {mark}"
    sha = repository.push_workflow(
        f"on: push\njobs: {{a: {{uses: script@v1, with: {{script: '{script}'}}}}}}\n"
    )
    wait_until(mark.exists, what="the job")
    assert serving.stop() == 0  # though the job waits
    gate.touch()
    wait_until(lambda: mark.read_text() == "run\ndone\n", what="the job's end without a daemon")
    serving.start()
    repository.wait_for_state(sha, "success")
    assert mark.read_text() == "run\ndone\n"


def test_a_second_daemon_on_the_same_storage_is_refused(tmp_path: Path, serving: Serving) -> None:
    serving.start()
    second = subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", "serve"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/nonexistent"},
    )
    assert second.returncode == 3
    assert f"another daemon (process {serving.lives[0].pid})" in second.stderr


def test_people_start_cancel_and_rerun_through_the_ledger(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    text = (
        "inputs: {who: {type: string, default: x}}\njobs:\n"
        f"  a: {{uses: script@v1, with: {{script: 'echo a >> {tmp_path}/a'}}}}\n"
        f"  b: {{needs: [a], uses: script@v1, with: {{script: '{wait}; test -e {tmp_path}/good'}}}}\n"
    )
    sha = repository.push_workflow(text)
    with _ledger(tmp_path) as ledger:

        def ask(kind: Any, **payload: Any) -> dict[str, Any]:
            asked = ledger.requests.put(kind, payload, at=time.time())
            wait_until(lambda: ledger.requests.result(asked) is not None, what=f"an answer to {kind}")
            return dict(ledger.requests.result(asked) or {})

        def state(run_id: str) -> str:
            return ledger.runs.get(run_id).state

        started = ask("start", workflow="ci", ref="main", inputs={"who": "ada"})["run_id"]
        wait_until(lambda: (tmp_path / "a").exists(), what="the first job of the run")
        ask("cancel", run_id=started)
        wait_until(lambda: state(started) == "cancelled", what="the cancelled run")
        gate.touch()
        failing = ask("start", workflow="ci")["run_id"]
        wait_until(lambda: state(failing) == "failure", what="the failed run")
        (tmp_path / "good").touch()
        again = ask("rerun", run_id=failing, failed=True)["run_id"]
        wait_until(lambda: state(again) == "success", what="the run again")
        assert ledger.runs.get(again).rerun_of == failing
        assert (tmp_path / "a").read_text().count("a") == 2
        assert ask("start", workflow="cii")["exit_code"] == 2
        assert ask("start", workflow="ci", ref="nowhere")["exit_code"] == 3
        assert ask("rerun", run_id="0")["exit_code"] == 2
    repository.wait_for_state(sha, "success")


def test_a_notes_ref_that_cannot_be_written_is_tried_until_it_can(
    repository: Repository, serving: Serving
) -> None:
    serving.start()
    lock = repository.bare / "refs" / "notes" / "windlass.lock"
    lock.parent.mkdir()
    lock.touch()
    sha = repository.push_workflow()
    wait_until(lambda: serving.health()[1]["repositories"][0]["post_error"], what="trouble on /healthz")
    status, health = serving.health()
    assert (status, health["status"]) == (200, "degraded")
    lock.unlink()
    repository.wait_for_state(sha, "success")
    wait_until(lambda: serving.health()[1]["status"] == "ok", what="recovery")


def test_a_repository_that_is_away_is_told_of_and_taken_up_again(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    away = tmp_path / "away"
    repository.bare.rename(away)
    wait_until(lambda: serving.health()[1]["repositories"][0]["poll_error"], what="trouble on /healthz")
    away.rename(repository.bare)
    sha = repository.push_workflow()
    repository.wait_for_state(sha, "success")
    assert serving.health()[1]["repositories"][0]["poll_error"] is None


def test_a_newer_run_of_a_group_takes_the_place_of_the_waiting_one(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    gate = tmp_path / "gate"
    script = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    text = "on: push\nconcurrency: {group: one}\n" + _one(script)
    shas = [repository.push_workflow(text)]
    repository.wait_for_state(shas[0], "running")
    for _ in range(2):
        shas.append(repository.commit({}))
        repository.push()
        repository.wait_for_state(shas[-1], "queued", "running")
    repository.wait_for_state(shas[1], "cancelled")
    gate.touch()
    repository.wait_for_state(shas[0], "success")
    repository.wait_for_state(shas[2], "success")


def test_an_interrupt_ends_it_in_order(serving: Serving) -> None:
    serving.start()
    serving.lives[0].send_signal(signal.SIGINT)
    assert serving.lives[0].wait(15) == 0
