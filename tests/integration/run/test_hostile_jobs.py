"""Jobs that try to reach the host through the folders that they share with it, or to change what
they handed over."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the host, with a file in it that is nobody else's business."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "shadow").write_text("root")
    (folder / "shadow").chmod(0o600)
    return folder


def is_untouched(victim: Path) -> bool:
    modes = (stat.S_IMODE(victim.stat().st_mode), stat.S_IMODE((victim / "shadow").stat().st_mode))
    names = [path.name for path in victim.iterdir()]
    return modes == (0o700, 0o600) and names == ["shadow"] and (victim / "shadow").read_text() == "root"


def test_a_text_is_not_written_through_a_link_of_the_job(docker_runner: Any, victim: Path) -> None:
    done = docker_runner.run(f"""
jobs:
  a:
    steps:
      - run: |
          ln -s {victim}/new /outputs/x
          echo x=evil >> "$GITHUB_OUTPUT"
    outputs: {{x: {{type: string}}}}
""")
    assert done.states() == {"a": "failure"}
    assert is_untouched(victim)


@pytest.mark.parametrize(
    "trick",
    [
        "ln -s {victim} /windlass/steps/2",
        "mkdir /windlass/steps/2; ln -s {victim}/shadow /windlass/steps/2/output",
        "mkdir /windlass/steps/2; mkfifo /windlass/steps/2/output",
        "rm -r /windlass/steps; ln -s {victim} /windlass/steps",
    ],
)
def test_no_link_that_a_step_puts_in_the_way_of_the_next_is_followed(
    docker_runner: Any, victim: Path, trick: str
) -> None:
    done = docker_runner.run(f"""
jobs:
  a:
    steps:
      - run: {trick.format(victim=victim)}
      - run: echo two
""")
    assert done.states() == {"a": "failure"}
    assert is_untouched(victim)


@pytest.mark.parametrize("name", ["script.sh", "run"])
def test_a_link_in_place_of_a_steps_own_script_is_replaced(
    docker_runner: Any, victim: Path, name: str
) -> None:
    done = docker_runner.run(f"""
jobs:
  a:
    steps:
      - run: mkdir /windlass/steps/2; ln -s {victim}/shadow /windlass/steps/2/{name}
      - run: echo second
""")
    assert done.states() == {"a": "success"}
    assert "second" in done.log("a")
    assert is_untouched(victim)


def test_what_steps_left_running_cannot_change_the_outputs_any_more(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a:
    steps:
      - run: |
          mkdir /outputs/d; cd /outputs/d
          (trap '' HUP TERM; while :; do echo x >> late; done) >/dev/null 2>&1 &
      - run: sleep 0.2
    outputs: {d: {type: artifact}}
  b:
    inputs: {d: a.outputs.d}
    steps:
      - run: before=$(wc -c < /inputs/d/late); sleep 0.5; test "$(wc -c < /inputs/d/late)" = "$before"
""")
    assert done.states() == {"a": "success", "b": "success"}


def test_a_kept_program_has_not_the_rights_of_the_containers_root(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a:
    steps:
      - run: cp /bin/busybox /outputs/su; chmod 6755 /outputs/su
    outputs: {su: {type: artifact}}
""")
    path = docker_runner.storage.outputs(done.id, "a") / "su"
    assert stat.S_IMODE(path.stat().st_mode) == 0o555


def test_a_steps_time_limit_does_not_show_its_secrets_to_the_hosts_users(docker_runner: Any) -> None:
    docker_runner.secrets["KEY"] = "hunter2-hunter2"
    done = docker_runner.run("""
jobs:
  a:
    env: {KEY: "${{ secrets.KEY }}"}
    steps:
      - run: cat /proc/*/cmdline | tr '\\0' ' ' | grep -c KE[Y]= || echo none
        timeout-minutes: 1
      - run: test "$KEY" = hunter2-hunter2
""")
    assert done.states() == {"a": "success"}
    assert "none" in done.log("a")


def test_a_step_that_writes_broken_markers_of_the_session_only_writes_text(docker_runner: Any) -> None:
    done = docker_runner.run(
        """
jobs:
  a:
    steps:
      - run: printf "\\036$(cat /windlass/token) x y\\n"; exit 3
""".replace("steps:", "steps:\n      - run: 'true'")
    )
    assert done.states() == {"a": "failure"}
    assert "internal" not in done.jobs["a"].reason
