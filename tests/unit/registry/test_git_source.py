"""Actions of real git repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from unit.registry.packages import folders
from windlass_registry.archive import ArchiveLimits
from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError
from windlass_registry.index import Index
from windlass_registry.lock import LockFile
from windlass_registry.policy import Policy
from windlass_registry.refs import GitRef, RefError, parse_uses
from windlass_registry.resolver import Lock, ResolutionError, Rules, resolve
from windlass_registry.sources.git import GitSource, GitUnavailable
from windlass_registry.store import Store
from windlass_runner.forges.git import Git

SHELL = "name: n\nruns: {using: composite, steps: [{run: 'true', shell: sh}]}\n"


class Upstream:
    """Somebody else's repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    @property
    def uses(self) -> str:
        return f"git+file://{self.folder}"

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", *identity, "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            place = self.folder / name.replace("__", "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            (place / "action.yml" if place.is_dir() else place).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def publish(self, text: str = SHELL, **more: str) -> str:
        (self.folder / "action.yml").write_text(text)
        return self.commit(**more)


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream")


@pytest.fixture
def source(tmp_path: Path) -> GitSource:
    git = Git(environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    return GitSource(git, root=tmp_path / "git", store=Store(tmp_path / "store"))


def git_ref(uses: str) -> GitRef:
    ref = parse_uses(uses)
    assert isinstance(ref, GitRef)
    return ref


def resolved(
    source: GitSource, tmp_path: Path, *uses: str, lock: LockFile | None = None, store: str = "store"
) -> Lock:
    among = Catalog(builtin=Index({}), git=source, stores=[Store(tmp_path / store)])
    return resolve(uses, catalog=among, lock=lock, local=folders())


def test_a_tag_a_branch_and_a_commit_mean_a_commit(upstream: Upstream, source: GitSource) -> None:
    first = upstream.publish()
    upstream.git("tag", "-a", "v1", "-m", "annotated")
    second = upstream.publish(SHELL.replace("name: n", "name: second"))
    assert source.fetch(git_ref(f"{upstream.uses}@v1")).commit == first
    assert source.fetch(git_ref(f"{upstream.uses}@main")).commit == second
    found = source.fetch(git_ref(f"{upstream.uses}@{first}"))
    assert (found.commit, found.package.manifest.name) == (first, "n")


def test_the_folder_is_what_was_committed_without_git_and_without_strange_links(
    upstream: Upstream, source: GitSource, tmp_path: Path
) -> None:
    (upstream.folder / "run.sh").write_text("#!/bin/sh\n")
    (upstream.folder / "run.sh").chmod(0o755)
    (upstream.folder / "out").symlink_to("/etc/passwd")
    (upstream.folder / "up").symlink_to("../elsewhere")
    (upstream.folder / "same").symlink_to("run.sh")
    (upstream.folder / "__pycache__").mkdir()
    (upstream.folder / "__pycache__" / "x.pyc").write_text("x")
    (upstream.folder / ".hidden").write_text("committed, so it belongs to it")
    upstream.publish()
    found = source.fetch(git_ref(f"{upstream.uses}@main")).package
    names = {place.name for place in found.folder.rglob("*")}
    assert names == {"action.yml", "run.sh", "same", ".hidden"}
    assert os.access(found.folder / "run.sh", os.X_OK)
    assert found.digest == Store(tmp_path / "other").add_folder(found.folder)
    assert [place.name for place in (tmp_path / "git").iterdir() if place.name.startswith(".")] == []


def test_a_commit_is_fetched_once(upstream: Upstream, source: GitSource, tmp_path: Path) -> None:
    sha = upstream.publish()
    source.fetch(git_ref(f"{upstream.uses}@{sha}"))
    upstream.folder.rename(tmp_path / "gone")
    assert source.fetch(git_ref(f"{upstream.uses}@{sha}")).commit == sha


def test_hooks_and_configuration_of_a_repository_start_nothing(
    upstream: Upstream, source: GitSource, tmp_path: Path
) -> None:
    upstream.publish(SHELL, **{".gitattributes": "* filter=evil\n"})
    upstream.git("config", "filter.evil.smudge", f"touch {tmp_path}/ran")
    hook = upstream.folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    source.fetch(git_ref(f"{upstream.uses}@main"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("@v2", "has no branch or tag 'v2'; known here: main, v1"),
        ("@mian", "did you mean 'main'?"),
        ("@0123456", "write all 40 digits of a commit"),
        ("@" + "0" * 40, "has no commit 0000"),
        ("//nothing@main", "has no folder 'nothing' at 'main'"),
        ("//docs@main", "has no action.yml at 'main'"),
        ("//action.yml@main", "has no folder 'action.yml'"),
    ],
)
def test_what_is_not_there_is_said(upstream: Upstream, source: GitSource, suffix: str, message: str) -> None:
    upstream.publish(SHELL, docs__readme="x")
    upstream.git("tag", "v1")
    with pytest.raises(RefError) as caught:
        source.fetch(git_ref(upstream.uses + suffix))
    assert message in str(caught.value)


def test_a_repository_that_is_not_there_is_the_authors_to_mend(source: GitSource, tmp_path: Path) -> None:
    with pytest.raises(RefError, match="cannot be fetched"):
        source.fetch(git_ref(f"git+file://{tmp_path}/nothing@main"))


def test_a_server_that_does_not_answer_is_waited_for(source: GitSource) -> None:
    with pytest.raises(GitUnavailable):
        source.fetch(git_ref("git+http://127.0.0.1:9/x.git@main"))


def test_a_repository_too_large_for_an_action_is_refused_before_it_is_read(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.publish(SHELL, large="x" * 10_000)
    git = Git(environment={"PATH": os.environ["PATH"]})
    limits = ArchiveLimits(size_bytes=5_000)
    small = GitSource(git, root=tmp_path / "git", store=Store(tmp_path / "store"), limits=limits)
    with pytest.raises(AuthorError, match="too large for an action"):
        small.fetch(git_ref(f"{upstream.uses}@main"))


def test_git_may_not_write_more_than_its_bound(upstream: Upstream, tmp_path: Path) -> None:
    (upstream.folder / "noise").write_bytes(os.urandom(400_000))
    upstream.publish()
    git = Git(environment={"PATH": os.environ["PATH"]}, file_limit_bytes=100_000)
    bounded = GitSource(git, root=tmp_path / "git", store=Store(tmp_path / "store"))
    with pytest.raises(RefError, match="the repository is too large"):
        bounded.fetch(git_ref(f"{upstream.uses}@main"))


def test_inside_a_git_action_the_spelling_is_githubs(
    upstream: Upstream, source: GitSource, tmp_path: Path
) -> None:
    steps = "[{uses: acme/cache@v4}, {uses: acme/cache/save@v4}, {uses: $/sub}, {uses: script@v1}]"
    upstream.publish(f"name: n\nruns: {{using: composite, steps: {steps}}}\n")
    found = source.fetch(git_ref(f"{upstream.uses}@main")).package
    assert found.manifest.uses() == (
        "github.com/acme/cache@v4",
        "github.com/acme/cache/save@v4",
        f"{upstream.uses}//sub@main",
        "script@v1",
    )


def test_a_lock_pins_commit_and_content(upstream: Upstream, source: GitSource, tmp_path: Path) -> None:
    (upstream.folder / "sub").mkdir()
    sha = upstream.publish("name: n\nruns: {using: composite, steps: [{uses: $/sub}]}\n", sub=SHELL)
    upstream.git("tag", "v1")
    uses = f"{upstream.uses}@v1"
    pins = resolved(source, tmp_path, uses).pins()
    assert {pin.commit for pin in pins.pins.values()} == {sha}
    assert pins.pins[uses].source == upstream.uses
    upstream.folder.rename(tmp_path / "gone")
    assert resolved(source, tmp_path, uses, lock=pins).pins() == pins


def test_a_moved_tag_is_refused_with_both_commits(
    upstream: Upstream, source: GitSource, tmp_path: Path
) -> None:
    first = upstream.publish()
    upstream.git("tag", "v1")
    uses = f"{upstream.uses}@v1"
    pins = resolved(source, tmp_path, uses).pins()
    second = upstream.publish(SHELL + "# evil\n")
    upstream.git("tag", "-f", "v1")
    assert resolved(source, tmp_path, uses, lock=pins).pins() == pins  # what runs is what was locked
    with pytest.raises(ResolutionError) as caught:
        resolved(source, tmp_path, uses, lock=pins, store="empty")
    assert first in caught.value.message
    assert second in caught.value.message
    assert "windlass lock --upgrade" in (caught.value.remedy or "")


def test_a_branch_may_move_and_the_pinned_commit_still_runs(
    upstream: Upstream, source: GitSource, tmp_path: Path
) -> None:
    upstream.publish()
    uses = f"{upstream.uses}@main"
    pins = resolved(source, tmp_path, uses).pins()
    upstream.publish(SHELL + "# newer\n")
    assert resolved(source, tmp_path, uses, lock=pins, store="empty").pins() == pins


def test_git_sources_may_be_switched_off(upstream: Upstream, source: GitSource, tmp_path: Path) -> None:
    upstream.publish()
    among = Catalog(builtin=Index({}), git=source)
    for policy in (Policy(git_sources=()), Policy(require_signatures=True)):
        with pytest.raises(ResolutionError, match="settings"):
            resolve(
                [f"{upstream.uses}@main"],
                catalog=among,
                local=folders(),
                rules=Rules(policy=policy),
            )
    assert not (tmp_path / "git").exists()
