"""Workflow files and repositories to measure with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.containers import COMMAND, IMAGE

WINDLASS = str(Path(sys.executable).with_name("windlass"))
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "ada@example.org" for who in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *words: str) -> str:
    """What git says."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def working_tree(folder: Path, files: dict[str, str]) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "measured")
    return folder


def graph(jobs: int, *, is_chain: bool, extra: str = "") -> str:
    """A workflow of no-op jobs. `extra`: further lines of each job."""
    lines = ["on: push", "jobs:"]
    work = f"uses: container@v1, with: {{image: '{IMAGE}', command: {' '.join(COMMAND)}}}"
    for number in range(jobs):
        needs = f"needs: [j{number - 1}], " if is_chain and number else ""
        lines.append(f"  j{number}: {{{needs}{extra}{work}}}")
    return "\n".join(lines) + "\n"


def large_file(jobs: int) -> str:
    """A workflow as people write them, 20 lines a job."""
    lines = ["name: large", "on: {push: {branches: [main]}}", "jobs:"]
    for number in range(jobs):
        needs = f"[job-{number - 1}]" if number % 10 else "[]"
        lines += [
            f"  job-{number}:",
            f"    name: step {number} of the pipeline",
            f"    needs: {needs}",
            "    if: github.ref == 'refs/heads/main'",
            "    image: 'windlass-test/busybox:1'",
            "    timeout-minutes: 30",
            "    retry: 1",
            "    env:",
            f"      NUMBER: '{number}'",
            "      NAME: ${{ github.sha }}",
            "    resources:",
            "      cpu: 1",
            "      memory: 512MB",
            "    steps:",
            f"      - name: say {number}",
            "        run: echo hello",
            f"        env: {{STEP: 'a{number}'}}",
            "    outputs:",
            "      data:",
            "        type: volume",
        ]
    return "\n".join(lines) + "\n"
