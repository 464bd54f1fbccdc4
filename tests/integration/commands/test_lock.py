"""`windlass lock` as people use it: real git repositories, a real engine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

IMAGE = "windlass-test/busybox:1"
ACTION = "name: n\ndescription: d\nruns:\n  using: composite\n  steps: [{run: 'echo %s', shell: sh}]\n"


class Upstream:
    """Somebody else's repository with an action."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        call = ["git", "-c", "user.name=U", "-c", "user.email=u@example.org", "-C", str(self.folder), *words]
        return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()

    def release(self, text: str) -> str:
        (self.folder / "action.yml").write_text(ACTION % text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        self.git("tag", "-f", "v1")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream")


def uses(project: Any, upstream: Upstream, *, image: str = IMAGE) -> str:
    text = f"git+file://{upstream.folder}@v1"
    project.workflow(f"jobs:\n  a:\n    image: {image}\n    steps: [{{uses: '{text}'}}]\n")
    return text


def data(answer: Any) -> Any:
    assert answer.code in (0, 2), answer.err
    return json.loads(answer.out)


@pytest.mark.docker
def test_a_moved_tag_changes_nothing_until_the_lock_is_upgraded(project: Any, upstream: Upstream) -> None:
    first = upstream.release("first")
    text = uses(project, upstream)
    locked = project.windlass("lock")
    assert locked.code == 0, locked.err
    assert "only this machine has it" in locked.err
    assert first in (project.root / ".windlass/lock.yaml").read_text()

    assert "was moved" not in project.windlass("lock", "--check").err
    assert project.windlass("verify").code == 0
    second = upstream.release("second")
    checked = project.windlass("lock", "--check")
    assert checked.code == 0
    assert (
        f"warning: the tag 'v1' of file://{upstream.folder} was moved: the lock pins commit {first}"
        in checked.err
    )
    verified = project.windlass("verify")
    assert (verified.code, f"and it is at {second} now" in verified.out) == (1, True)
    assert project.windlass("verify", "--offline").code == 0
    run = project.windlass("run", "w", "--plain")
    assert run.code == 0, run.out + run.err
    assert "first" in run.out + run.err
    assert "second" not in run.out + run.err
    assert "was moved" not in run.out + run.err
    project.write("windlass.toml", '[policy]\nmoved_tags = "refuse"\ngit_sources = ["file:///"]\n')
    refused = project.windlass("run", "w", "--plain")
    assert refused.code == 2
    assert f"w.yaml:4:20: '{text}' may not run here: the tag 'v1'" in refused.err
    (project.root / "windlass.toml").unlink()

    looked = data(project.windlass("lock", "--upgrade", "--dry-run", "--json"))
    (change,) = looked["changes"]
    assert (change["what"], change["from"], change["to"]) == (text, first[:12], second[:12])
    assert looked["written"] is False
    assert first in (project.root / ".windlass/lock.yaml").read_text()
    assert project.windlass("lock", "--upgrade", text).code == 0
    assert second in (project.root / ".windlass/lock.yaml").read_text()


@pytest.mark.docker
def test_on_a_machine_without_the_package_a_moved_tag_is_refused(
    project: Any, upstream: Upstream, tmp_path: Path
) -> None:
    first = upstream.release("first")
    uses(project, upstream)
    assert project.windlass("lock").code == 0
    second = upstream.release("second")
    answer = project.windlass("validate", XDG_CACHE_HOME=str(tmp_path / "empty"))
    assert answer.code == 2
    assert answer.out.startswith(".windlass/workflows/w.yaml:4:20: the tag 'v1'")
    assert first in answer.out
    assert second in answer.out


@pytest.mark.docker
def test_an_image_that_was_built_anew_is_refused_before_its_code_runs(
    project: Any, upstream: Upstream
) -> None:
    upstream.release("first")
    tag = f"windlass-test/locked-{project.root.parent.name.lower()}:1"
    subprocess.run(["docker", "tag", IMAGE, tag], check=True)
    try:
        uses(project, upstream, image=tag)
        assert project.windlass("lock").code == 0
        assert project.windlass("run", "w", "--plain").code == 0
        subprocess.run(["docker", "tag", "windlass-test/python:1", tag], check=True)
        run = project.windlass("run", "w", "--plain")
        assert run.code == 1
        assert "the lock pins it to sha256:" in run.out + run.err
        assert f"windlass lock --upgrade '{tag}'" in run.out + run.err
        assert project.windlass("lock", "--upgrade", tag).code == 0
        assert project.windlass("run", "w", "--plain").code == 0
    finally:
        subprocess.run(["docker", "rmi", tag], check=False, capture_output=True)


def test_what_cannot_be_pinned_is_said_and_the_rest_is(project: Any, upstream: Upstream) -> None:
    upstream.release("first")
    uses(project, upstream, image="127.0.0.1:9/nothing:1")
    answer = project.windlass("lock", "--json", DOCKER_HOST="unix:///nonexistent.sock")
    found = data(answer)
    assert answer.code == 0
    assert len(found["pinned"]) == 1
    (unpinned,) = found["unpinned"]
    assert unpinned["what"] == "image 127.0.0.1:9/nothing:1"
    assert "does not answer" in unpinned["why"]


def test_settings_beside_the_repository_are_held_to(project: Any, upstream: Upstream) -> None:
    upstream.release("first")
    uses(project, upstream)
    project.write("windlass.toml", '[policy]\ngit_sources = false\nimage_registries = ["ghcr.io"]\n')
    for command in (["validate"], ["plan", "w"], ["lock"]):
        answer = project.windlass(*command)
        assert answer.code == 2, command
        assert "the settings of this runner allow no actions from git repositories" in answer.out + answer.err
    assert "no git sources; images of ghcr.io" in project.windlass("doctor").out


def test_a_name_that_the_lock_does_not_have_is_met_with_the_nearest(project: Any) -> None:
    project.workflow("jobs: {a: {uses: script@v1, with: {script: 'true'}}}\n")
    assert project.windlass("lock").code == 0
    answer = project.windlass("lock", "--upgrade", "scirpt")
    assert answer.code == 2
    assert "did you mean 'script'?" in answer.err + answer.out


@pytest.mark.parametrize("span", ["7", "1w", "36h"])
def test_a_cool_down_is_a_span_of_time(project: Any, span: str) -> None:
    project.workflow("jobs: {a: {uses: script@v1, with: {script: 'true'}}}\n")
    assert project.windlass("lock", "--upgrade", "--cool-down", span).code == 0


LATE = """
jobs:
  ask:
    image: windlass-test/busybox:1
    outputs: {image: {type: string}}
    steps: [{run: 'echo "image=windlass-test/python:1" >> "$GITHUB_OUTPUT"', shell: sh}]
  go: {needs: ask, image: '${{ needs.ask.outputs.image }}', steps: [{run: 'echo it ran', shell: sh}]}
"""


@pytest.mark.docker
def test_an_image_that_only_the_run_names_is_told_by_the_lock_and_by_the_run_or_refused(project: Any) -> None:
    project.workflow(LATE)
    told = project.windlass("lock")
    assert (
        "not pinned: image ${{ needs.ask.outputs.image }}: .windlass/workflows/w.yaml:7: job 'go'" in told.err
    )
    run = project.windlass("run", "w", "--plain")
    assert run.code == 0, run.out + run.err
    assert "the image windlass-test/python:1 is not in the lock" in run.out + run.err
    project.write("windlass.toml", "[policy]\nrequire_lock = true\n")
    run = project.windlass("run", "w", "--plain")
    assert run.code == 1
    assert (
        "image 'windlass-test/python:1' is not available: it is not in .windlass/lock.yaml"
        in run.out + run.err
    )
    assert "it ran" not in run.out + run.err


@pytest.mark.docker
def test_a_required_lock_is_met_by_what_windlass_lock_pins(project: Any) -> None:
    project.write("windlass.toml", "[policy]\nrequire_lock = true\n")
    project.write("act/action.yml", "name: D\nruns: {using: docker, image: Dockerfile}\n")
    project.write("act/Dockerfile", f'FROM {IMAGE} AS base\nFROM base\nCMD ["echo", "built from it"]\n')
    project.workflow(
        "inputs: {big: {type: boolean}}\njobs:\n  a:\n"
        f"    image: \"${{{{ inputs.big && 'windlass-test/python:1' || '{IMAGE}' }}}}\"\n"
        "    steps: [{uses: ./act}, {uses: script@v1, with: {script: 'true', shell: sh}}]\n"
    )
    assert project.windlass("run", "w", "--plain").code == 2
    refused = project.windlass("validate")
    assert (
        f"w.yaml:4:12: job 'a' runs in the image '{IMAGE}', which is not in .windlass/lock.yaml"
        in refused.out
    )
    assert "'script@v1' is not in .windlass/lock.yaml" in refused.out
    assert f"the image of './act' is built from '{IMAGE}'" in refused.out
    assert project.windlass("lock").code == 0
    assert "windlass-test/python:1" in (project.root / ".windlass/lock.yaml").read_text()
    run = project.windlass("run", "w", "--plain")
    assert run.code == 0, run.out + run.err
    assert "built from it" in run.out + run.err
    shown = json.loads(project.windlass("show", "latest", "--json", "--storage", ".windlass/state").out)
    (built,) = set(re.findall(r'"windlass-action:[0-9a-f]+": "(sha256:[0-9a-f]+)"', json.dumps(shown)))
    subprocess.run(["docker", "rmi", built], check=True, capture_output=True)


@pytest.mark.docker
def test_no_job_of_a_run_begins_where_a_later_one_needs_an_image_that_changed(project: Any) -> None:
    tag = f"windlass-test/later-{project.root.parent.name.lower()}:1"
    subprocess.run(["docker", "tag", IMAGE, tag], check=True)
    try:
        project.workflow(
            f"jobs:\n  a: {{image: '{IMAGE}', steps: [{{run: 'echo one', shell: sh}}]}}\n"
            f"  b: {{needs: a, image: '{tag}', steps: [{{run: 'echo two', shell: sh}}]}}\n"
        )
        assert project.windlass("lock").code == 0
        subprocess.run(["docker", "tag", "windlass-test/python:1", tag], check=True)
        run = project.windlass("run", "w", "--plain")
        assert run.code == 1
        assert f"image '{tag}' is not available: the lock pins it to sha256:" in run.out + run.err
        assert "one" not in [line.rpartition(" ")[2] for line in (run.out + run.err).splitlines()]
    finally:
        subprocess.run(["docker", "rmi", tag], check=False, capture_output=True)
