"""A daemon whose runs use a git tag that somebody moves: what is locked runs on, and it is said."""

from __future__ import annotations

from pathlib import Path

from integration.daemon.serving import Repository, Serving, configure, git, wait_until
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.plan.codec import loads
from windlass_runner.plan.model import Plan

ACTION = "name: n\nruns: {using: composite, steps: [{run: 'echo %s', shell: sh}]}\n"


def release(upstream: Path, text: str) -> str:
    (upstream / "action.yml").write_text(ACTION % text)
    git(upstream, "add", "-A")
    git(upstream, "commit", "-q", "-m", text)
    git(upstream, "tag", "-f", "v1")
    return git(upstream, "rev-parse", "HEAD")


def plan_of(storage: Path, sha: str) -> Plan:
    ledger = Ledger.open(str(storage / "ledger.db"), create=False)
    try:
        (run,) = ledger.runs.list(sha=sha)
        return loads(Plan, ledger.runs.plan(run.id))
    finally:
        ledger.close()


def test_a_moved_tag_keeps_nothing_from_running_and_the_next_runs_say_it(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    git(upstream, "init", "-q", "-b", "main")
    first = release(upstream, "first")
    uses = f"git+file://{upstream}@v1"
    text = f"on: push\njobs:\n  one: {{steps: [{{uses: '{uses}'}}]}}\n"
    configure(tmp_path, repository, more='[policy]\ngit_sources = ["file:///"]\n')
    serving.start()
    sha = repository.push_workflow(text)
    repository.wait_for_state(sha, "success")
    (pin,) = plan_of(tmp_path / "store", sha).actions
    lock = (
        f"lock: 2\nactions:\n  '{uses}': {{name: '{uses.removesuffix('@v1')}', commit: '{first}', "
        f"digest: '{pin.digest}', source: '{uses.removesuffix('@v1')}'}}\n"
    )
    second = release(upstream, "second")
    sha = repository.commit({".windlass/lock.yaml": lock})
    repository.push()
    repository.wait_for_state(sha, "success")

    def is_told() -> bool:
        sha = repository.push_workflow(text)
        repository.wait_for_state(sha, "success")
        notes = " ".join(plan_of(tmp_path / "store", sha).notes)
        return f"the lock pins commit {first}, and it is at {second} now" in notes

    wait_until(is_told, what="the move is told")
