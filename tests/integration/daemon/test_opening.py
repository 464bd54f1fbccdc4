"""A daemon that cannot begin yet: it listens, says why, takes nothing in, and goes on by itself."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from integration.daemon.serving import Repository, Serving, wait_until
from windlass_runner.commands.network_checks import check_listen
from windlass_runner.daemon.settings import ServerSettings

pytestmark = pytest.mark.timeout(120)


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def _waits(serving: Serving) -> list[str]:
    return [entry["reason"] for entry in serving.log() if entry["event"] == "daemon.waits"]


@pytest.mark.parametrize("had_a_life", [True, False])
def test_on_a_full_disk_it_waits_for_space_and_runs_what_was_pushed_meanwhile(
    tmp_path: Path, repository: Repository, small_disk: Path, serving: Serving, had_a_life: bool
) -> None:
    (tmp_path / "store").symlink_to(small_disk)
    if had_a_life:
        serving.start()
        serving.stop()
    ballast = _fill(small_disk)
    serving.start()
    if had_a_life:
        sha = repository.push_workflow()
    status, health = serving.health()
    assert (status, health["status"]) == (503, "failing")
    assert "free" in health["problems"][0]
    answer = serving.raw(
        b"POST /hooks/git HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5\r\n" in answer
    host, port = serving.address.removeprefix("http://").split(":")
    check = check_listen(ServerSettings(host=host, port=int(port)))
    assert (check.state, health["problems"][0] in check.text) == ("fail", True)
    ballast.unlink()
    wait_until(lambda: serving.health()[0] == 200, what="a daemon that has begun")
    if not had_a_life:
        sha = repository.push_workflow()
    repository.wait_for_state(sha, "success")
    assert len(_waits(serving)) == len(set(_waits(serving)))
    assert serving.stop() == 0


def test_a_storage_that_cannot_be_made_yet_is_waited_for(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    (tmp_path / "store").write_text("in the way")
    serving.start()
    assert "cannot be written" in serving.health()[1]["problems"][0]
    (tmp_path / "store").unlink()
    wait_until(lambda: serving.health()[0] == 200, what="a daemon that has begun")
    sha = repository.push_workflow()
    repository.wait_for_state(sha, "success")


def test_it_can_be_stopped_while_it_waits(tmp_path: Path, serving: Serving) -> None:
    (tmp_path / "store").write_text("in the way")
    serving.start()
    assert serving.stop() == 0


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("windlass.toml", "[server]\nlisten = 1\n", 3, "windlass.toml:2:"),
        ("windlass.toml", "[storage]\nobjects = 's3://b/p'\n", 3, "cannot be used yet"),
        ("store/ledger.db", "no ledger" * 1000, 3, "is damaged"),
    ],
)
def test_what_no_waiting_mends_ends_it_at_once(
    tmp_path: Path, serving: Serving, name: str, text: str, code: int, message: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "windlass_runner.cli", "serve"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": ":".join(sys.path)},
        timeout=60,
    )
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
