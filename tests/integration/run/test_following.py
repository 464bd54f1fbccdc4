"""What lies between the end of a job and the beginning of the one that follows."""

from __future__ import annotations

from typing import Any

from windlass_runner.testing import FakeProcess

JOBS = 8
CHAIN = "jobs:\n" + "".join(
    f"  j{number}: {{needs: {[f'j{number - 1}'] if number else []}, steps: [{{run: echo}}]}}\n"
    for number in range(JOBS)
)


def test_a_jobs_end_and_the_beginning_of_its_follower_are_one_change(fake_runner: Any) -> None:
    engine = fake_runner.engine

    def ends_when_its_follower_is_made(process: FakeProcess) -> int:
        number = int(process.spec.env["WINDLASS_JOB"].removeprefix("j"))
        wanted = min(number + 2, JOBS)
        fake_runner.until(lambda: sum(call.method == "create" for call in engine.calls) >= wanted)
        return 0

    engine.add_program(ends_when_its_follower_is_made)
    done = fake_runner.run(CHAIN)

    at = {
        (event.kind, event.job_key): event.at for event in fake_runner.ledger.events.after(0, run_id=done.id)
    }
    pairs = [(at["job.ended", f"j{n}"], at["job.started", f"j{n + 1}"]) for n in range(JOBS - 1)]
    assert done.state == "success"
    assert any(ended == started for ended, started in pairs)  # all whose follower was quite ready
    assert all(ended <= started for ended, started in pairs)


def test_the_files_of_every_job_are_gone_when_the_run_has_ended(fake_runner: Any) -> None:
    fake_runner.engine.add_program(lambda process: process.path("/workspace/left").write_text("x") * 0)
    done = fake_runner.run(CHAIN)
    assert done.state == "success"
    assert not fake_runner.storage.scratch(done.id).exists()
