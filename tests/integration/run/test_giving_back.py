"""Files of a job go back to us with the help of an image that is there."""

from __future__ import annotations

from typing import Any

from windlass_runner.testing import says


def test_the_image_that_ran_gives_files_back_not_one_that_nobody_has_pulled(fake_runner: Any) -> None:
    fake_runner.engine.add_program(says(b"done"))
    done = fake_runner.run("""
jobs:
  action: {uses: container@v1, with: {image: 'brought:1', command: 'true'}}
  own: {image: 'own:1', uses: script@v1, with: {script: x}}
""")
    assert done.states() == {"action": "success", "own": "success"}
    calls = fake_runner.engine.calls
    used = {call.subject.partition("@")[0] for call in calls if call.method == "reclaim"}
    assert used == {"brought:1", "own:1"}
