"""What the owner of a machine does not allow is a problem at its place, before anything runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from unit.registry.packages import release
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.index import Index
from windlass_registry.lockfile import LOCK_PATH
from windlass_registry.policy import Policy
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.git import GitSource
from windlass_registry.store import Store
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.policy_settings import GIT_ADDRESSES
from windlass_runner.daemon.pushes import Source
from windlass_runner.daemon.settings import Settings, load_settings, parse_settings
from windlass_runner.daemon.toml_reader import SettingsError
from windlass_runner.daemon.workflows import find_workflows
from windlass_runner.forges.git import Git
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.prepare import plan_run
from windlass_runner.run.workspace import Mirror
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull}
STEPS = "on: push\njobs:\n  a:\n    image: ghcr.io/acme/x:1\n    steps:\n      - uses: %s\n"


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    call = ["git", *identity, "-C", str(folder), *words]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return folder


def problems(
    folder: Path,
    workflow: str,
    *,
    policy: Policy,
    lock: str | None = None,
    more: Mapping[str, str] | None = None,
) -> list[Problem]:
    """What keeps a push of this workflow from running."""
    source = folder / "source"
    files = {".windlass/workflows/w.yaml": workflow, **({LOCK_PATH: lock} if lock else {}), **(more or {})}
    repository(source, **files)
    tool = Git(environment=ENVIRONMENT)
    mirror = Mirror(tool, folder / "storage", f"file://{source}")
    sha = git(source, "rev-parse", "HEAD")
    mirror.fetch(ref="refs/heads/main", sha=sha)
    (found,) = find_workflows(tool, mirror.path, sha)
    packages = Store(folder / "packages")
    acme = Index.of([release("acme/x", "1.0.0", source="main")])
    planning = CommitPlanning(
        git=tool,
        packages=packages,
        catalog=Catalog(
            builtin=load_builtin(),
            registries=[Registry(name="main", source=acme)],
            git=GitSource(tool, root=folder / "git", store=packages),
            stores=[packages],
        ),
        options=PlanOptions(),
        policy=policy,
    )
    event = Event(kind="push", repository=f"file://{source}", ref="refs/heads/main", sha=sha)
    with pytest.raises(AuthorError) as caught:
        planning(found, event=event, reason="", source=Source(mirror=mirror, objects=mirror.path))
    return list(caught.value.problems)


def only(found: list[Problem], line: int) -> str:
    """The one problem, which has its line and says what to do."""
    (problem,) = found
    assert (problem.path, problem.line) == (".windlass/workflows/w.yaml", line)
    assert problem.remedy
    return problem.message


def test_a_namespace_that_is_not_allowed(tmp_path: Path) -> None:
    found = problems(tmp_path, STEPS % "acme/x@v1", policy=Policy(namespaces=frozenset({"ours"})))
    assert "do not allow the namespace 'acme'" in only(found, 6)


def test_a_release_without_a_statement_of_where_it_was_made(tmp_path: Path) -> None:
    found = problems(tmp_path, STEPS % "acme/x@v1", policy=Policy(require_signatures=True))
    assert "1.0.0: not signed with a statement" in only(found, 6)


def test_an_image_of_a_registry_that_is_not_allowed(tmp_path: Path) -> None:
    text = (
        "on: push\njobs:\n  a:\n    uses: container@v1\n    with: {image: 'evil.example.org/x', command: x}\n"
    )
    found = problems(tmp_path, text, policy=Policy(image_registries=("ghcr.io",)))
    assert "job 'a' runs in the image 'evil.example.org/x'" in only(found, 5)


def test_an_action_that_is_not_in_the_lock(tmp_path: Path) -> None:
    found = problems(tmp_path, STEPS % "acme/x@v1", policy=Policy(require_lock=True))
    image, action = found
    assert "runs in the image 'ghcr.io/acme/x:1', which is not in .windlass/lock.yaml" in only([image], 4)
    assert "'acme/x@v1' is not in .windlass/lock.yaml" in only([action], 6)


def test_images_that_the_lock_lacks_are_refused_like_actions_and_those_of_the_settings_by_their_digest(
    tmp_path: Path,
) -> None:
    text = """\
on: push
inputs: {gpu: {type: boolean}}
jobs:
  a: {steps: [{run: x}]}
  b: {image: "${{ inputs.gpu && 'cuda:1' || 'cpu:1' }}", steps: [{run: x}]}
  c:
    image: kept@sha256:%s
    steps:
      - run: x
      - {run: x, image: 'tool:${{ matrix.v }}'}
    strategy: {matrix: {v: [1, 2]}}
  d: {image: 'known:1', steps: [{uses: ./act}]}
""" % ("0" * 64)
    action = "name: n\nruns: {using: docker, image: Dockerfile}\n"
    pin = f"{{local-id: 'sha256:{'0' * 64}'}}"
    lock = f"lock: 2\nactions: {{}}\nimages: {{'known:1': {pin}, 'tool:2': {pin}}}\n"
    found = problems(
        tmp_path,
        text,
        policy=Policy(require_lock=True),
        lock=lock,
        more={"act/action.yml": action, "act/Dockerfile": "ARG V\nFROM base:1\nCOPY --from=base:$V / /\n"},
    )
    assert [(each.line, each.message.partition(", which is not")[0]) for each in found] == [
        (4, "job 'a' runs in the image 'python:3.12'"),
        (5, "job 'b' runs in the image 'cpu:1'"),
        (5, "job 'b' runs in the image 'cuda:1'"),
        (10, "job 'c' runs in the image 'tool:1'"),
        (12, "the image of './act' is built from 'base:1'"),
        (12, "the image of './act' is built from 'base:$V'"),
    ]
    assert "'default_image' in the settings with its digest" in (found[0].remedy or "")
    assert found[1].remedy == found[4].remedy == "run 'windlass lock', and commit the file"
    assert found[5].remedy == "write its FROM without a variable"


def test_an_action_of_a_git_repository(tmp_path: Path) -> None:
    uses = f"git+file://{tmp_path}/up@main"
    found = problems(tmp_path, STEPS % uses, policy=Policy(git_sources=GIT_ADDRESSES))
    assert f"do not allow actions from file://{tmp_path}/up" in only(found, 6)


def test_a_tag_that_moved_names_both_commits(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    action = "name: n\nruns: {using: composite, steps: [{run: 'true', shell: sh}]}\n"
    upstream = repository(tmp_path / "up", **{"action.yml": action})
    git(upstream, "tag", "v1")
    uses = f"git+file://{upstream}"
    pinned = "a" * 40
    lock = (
        f"lock: 2\nactions:\n  {uses}@v1: {{name: '{uses}', commit: '{pinned}', "
        f"digest: 'sha256:{'0' * 64}', source: '{uses}'}}\n"
    )
    said = only(problems(tmp_path, STEPS % f"{uses}@v1", policy=Policy(), lock=lock), 6)
    assert pinned in said
    assert git(upstream, "rev-parse", "v1") in said


def test_another_digest_than_the_lock_has(tmp_path: Path) -> None:
    lock = (
        f"lock: 1\nactions: {{acme/x@v1: {{name: acme/x, version: 1.0.0, digest: 'sha256:{'f' * 64}', "
        "source: main}}\n"
    )
    said = only(problems(tmp_path, STEPS % "acme/x@v1", policy=Policy(), lock=lock), 6)
    assert "acme/x 1.0.0 is not what the lock pins" in said


def settings(text: str) -> Settings:
    return parse_settings(text, path=Path("/etc/windlass.toml"), environ={})


def test_without_a_word_only_files_of_this_machine_are_no_git_source(tmp_path: Path) -> None:
    expected = Policy(git_sources=("https://", "ssh://"))
    assert settings("").policy == expected
    assert load_settings(None, {"HOME": str(tmp_path)}).policy == expected


def test_every_rule_is_read() -> None:
    found = settings("""
[policy]
namespaces = ["acme"]
require_signatures = true
image_registries = ["ghcr.io/acme", "docker.io/library"]
git_sources = ["github.com/acme/", "file:///srv/git/"]
require_lock = true
yanked = "refuse"
moved_tags = "refuse"
refuse_advisories = "high"
""").policy
    assert found == Policy(
        namespaces=frozenset({"acme"}),
        require_signatures=True,
        image_registries=("ghcr.io/acme", "docker.io/library"),
        git_sources=("https://github.com/acme/", "file:///srv/git/"),
        require_lock=True,
        yanked="refuse",
        moved_tags="refuse",
        refuse_advisories="high",
    )


@pytest.mark.parametrize(("value", "expected"), [("true", GIT_ADDRESSES), ("false", ())])
def test_git_sources_are_switched_as_a_whole(value: str, expected: tuple[str, ...]) -> None:
    assert settings(f"[policy]\ngit_sources = {value}\n").policy.git_sources == expected


def test_a_rule_that_nobody_knows_is_an_error_with_its_line() -> None:
    with pytest.raises(SettingsError) as caught:
        settings("[policy]\nrequire_locks = true\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.remedy) == (2, "did you mean 'require_lock'?")


def test_without_images_no_lock_is_asked_for_them(tmp_path: Path) -> None:
    text = "on: push\njobs:\n  a: {steps: [{run: x}]}\n"
    found = problems(tmp_path / "docker", text, policy=Policy(require_lock=True))
    assert "runs in the image 'python:3.12'" in only(found, 3)
    plan = plan_run(
        parse_workflow(text, path="w.yaml"),
        event=Event(kind="push", repository="r", sha="1" * 40),
        reason="",
        root=tmp_path,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(has_images=False),
        policy=Policy(require_lock=True),
    )
    assert (plan.unlocked_images, plan.notes) == (None, ())
