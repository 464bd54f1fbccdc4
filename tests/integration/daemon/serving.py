"""A real daemon in a process of its own, and a real repository that it watches."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = "hush"
QUICK = "on: push\njobs:\n  one: {uses: script@v1, with: {script: 'echo hello'}}\n"
_IDENTITY = {
    f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **_IDENTITY}


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, env=_ENVIRONMENT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Repository:
    """A bare repository and a working tree to push from."""

    bare: Path
    work: Path

    def commit(self, files: dict[str, str], *, message: str = "a change") -> str:
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.work, "rev-parse", "HEAD")

    def push(self, *refs: str) -> None:
        git(self.work, "push", "-q", str(self.bare), *(refs or ("main",)))

    def push_workflow(self, text: str = QUICK, *, name: str = "ci") -> str:
        sha = self.commit({f".windlass/workflows/{name}.yaml": text})
        self.push()
        return sha

    def note(self, sha: str) -> dict[str, Any] | None:
        done = subprocess.run(
            ["git", "-C", str(self.bare), "notes", "--ref=windlass", "show", sha],
            capture_output=True,
            text=True,
            env=_ENVIRONMENT,
            timeout=60,
        )
        found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
        return found

    def wait_for_state(self, sha: str, *states: str) -> dict[str, Any]:
        """The note as soon as it says one of these states."""
        wait_until(lambda: (self.note(sha) or {}).get("state") in states, what=f"{states} on {sha}")
        note = self.note(sha)
        assert note is not None
        return note


@dataclass
class Serving:
    """One life of a daemon after the other, on the same storage."""

    folder: Path
    lives: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "windlass_runner.cli", "serve"],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={
                    **_ENVIRONMENT,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "TOKEN": "t0ken",
                    **self.environment,
                },
            )
        self.lives.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), (self.folder / "log").read_text()
        self.address = line.removeprefix("listening on ").strip()

    def kill(self) -> None:
        self.lives[-1].kill()
        self.lives[-1].wait(10)

    def stop(self) -> int:
        self.lives[-1].terminate()
        return self.lives[-1].wait(60)

    def health(self) -> tuple[int, dict[str, Any]]:
        return self.request("GET", "/healthz")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(self.address + path, data=body, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")

    def raw(self, *pieces: bytes) -> bytes:
        """What the daemon answers to these bytes, until it closes the connection."""
        host, port = self.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


def wait_until(claim: Callable[[], object], *, what: str, timeout_s: float = 30.0) -> None:
    """Wait for something that happens in another process."""
    pause, deadline = threading.Event(), time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.03)


def configure(
    folder: Path, repository: Repository, *, url: str | None = None, poll_s: float = 0.1, more: str = ""
) -> None:
    (folder / "secret").write_text(SECRET)
    (folder / "windlass.toml").write_text(
        f"""
[server]
listen = "127.0.0.1:0"
[storage]
path = "store"
[[repository]]
url = "{url or repository.bare}"
poll_s = {poll_s}
webhook_secret = {{file = "secret"}}
[[host]]
engine = "process"
[secrets]
TOKEN = {{env = "TOKEN"}}
{more}
"""
    )
