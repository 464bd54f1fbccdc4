"""Repositories on other machines: over HTTP with a password, over ssh. Polled, run, and noted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.daemon.git_http import PASSWORD, USER, git_over_http
from integration.daemon.serving import Repository, Serving, configure, wait_until

pytestmark = pytest.mark.timeout(120)

SSH = """#!/bin/sh
# Runs what ssh would run on the other machine, here; ssh's own options, and the host, come before it.
for command; do :; done
exec sh -c "$command"
"""


def _is_polled(serving: Serving) -> bool:
    (found,) = serving.health()[1]["repositories"]
    return found["polled_at"] is not None and found["poll_error"] is None


def _trouble(serving: Serving) -> str:
    (found,) = serving.health()[1]["repositories"]
    return found["poll_error"] or ""


def test_over_http_with_the_users_credential_helper(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.environment["HOME"] = str(tmp_path)
    with git_over_http(tmp_path) as address:
        configure(tmp_path, repository, url=f"{address}/digits.git", poll_s=0.2)
        serving.start()
        wait_until(lambda: "give the daemon credentials" in _trouble(serving), what="a refused poll")
        (tmp_path / "credentials").write_text(address.replace("://", f"://{USER}:{PASSWORD}@"))
        (tmp_path / ".gitconfig").write_text(f"[credential]\nhelper = store --file {tmp_path}/credentials\n")
        wait_until(lambda: _is_polled(serving), what="a poll with credentials")
        sha = repository.push_workflow()
        note = repository.wait_for_state(sha, "success")
        assert note["workflows"][0]["jobs"][0]["state"] == "success"
        assert serving.stop() == 0
    assert PASSWORD not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("form", ["ssh://git@example.invalid{}", "git@example.invalid:{}"])
def test_over_ssh_by_the_owners_command(
    tmp_path: Path, repository: Repository, serving: Serving, form: str
) -> None:
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    serving.environment["GIT_SSH_COMMAND"] = str(tmp_path / "ssh")
    configure(tmp_path, repository, url=form.format(repository.bare), poll_s=0.2)
    serving.start()
    wait_until(lambda: _is_polled(serving), what="the first poll")
    sha = repository.push_workflow()
    repository.wait_for_state(sha, "success")


def test_a_server_that_is_away_for_a_while_is_told_of_and_asked_again(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\necho 'ssh: connect to host h port 22: Connection refused' >&2\nexit 255\n")
    script.chmod(0o755)
    serving.environment["GIT_SSH_COMMAND"] = str(script)
    configure(tmp_path, repository, url=f"ssh://h{repository.bare}", poll_s=0.2)
    serving.start()
    wait_until(lambda: "does not answer" in _trouble(serving), what="a poll that fails")
    script.write_text(SSH)
    wait_until(lambda: _is_polled(serving), what="a poll that goes through")
    sha = repository.push_workflow()
    repository.wait_for_state(sha, "success")
