import os
import subprocess
from pathlib import Path

import pytest

from windlass_registry.errors import AuthorError, OperatorError, UpstreamError
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_errors import explain, without_credentials
from windlass_runner.forges.local_refs import local_path
from windlass_runner.forges.notes import NOTES_REF, fetch_note, update_note

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def git() -> Git:
    return Git(environment=ENVIRONMENT)


class Repository:
    """A bare repository that a developer pushes to from a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self.bare = folder / "origin.git"
        self.url = self.bare.as_uri()
        self.call("init", "-q", "--bare", "-b", "main", str(self.bare), at=folder)
        self.call("clone", "-q", str(self.bare), str(self.clone), at=folder)

    def call(self, *arguments: str, at: Path | None = None) -> str:
        who = {f"GIT_{r}_{w}": f"{w}@x" for r in ("AUTHOR", "COMMITTER") for w in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.clone,
            env=ENVIRONMENT | who,
            check=True,
            text=True,
            capture_output=True,
        )
        return done.stdout.strip()

    def push(self, files: dict[str, str], *, branch: str = "main", message: str = "change") -> str:
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.call("add", "-A")
        self.call("commit", "-q", "--allow-empty", "-m", message)
        self.call("push", "-q", "-f", "origin", f"HEAD:refs/heads/{branch}")
        return self.call("rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def mirror(git: Git, tmp_path: Path) -> Path:
    path = tmp_path / "mirror.git"
    git.init_mirror(path)
    git.init_mirror(path)
    return path


def fetched(git: Git, mirror: Path, origin: Repository, files: dict[str, str]) -> str:
    sha = origin.push(files)
    git.fetch_commit(mirror, origin.url, ref="refs/heads/main", sha=sha)
    return sha


def test_refs_of_a_repository_with_tags_peeled(git: Git, origin: Repository) -> None:
    sha = origin.push({"a": "1"})
    origin.call("tag", "-a", "-m", "one", "v1")
    origin.call("push", "-q", "origin", "v1")
    assert git.ls_remote(origin.url) == {"HEAD": sha, "refs/heads/main": sha, "refs/tags/v1": sha}


def test_an_empty_repository_has_no_refs(git: Git, origin: Repository) -> None:
    assert git.ls_remote(str(origin.bare)) == {}


def test_a_missing_repository_is_the_operators(git: Git, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        git.ls_remote(str(tmp_path / "none.git"))
    assert caught.value.remedy is not None


def test_a_host_that_does_not_answer_is_upstream(git: Git) -> None:
    with pytest.raises(UpstreamError):
        git.ls_remote("http://127.0.0.1:9/x.git")


@pytest.mark.parametrize("url", ["", "--upload-pack=touch /tmp/x", "ext::sh -c true", "a\nb"])
def test_addresses_that_could_do_harm_are_refused(git: Git, url: str) -> None:
    with pytest.raises(OperatorError):
        git.ls_remote(url)


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/../x", "-x", "refs/heads/a b", "refs/heads/x.lock", "+refs/x"]
)
def test_what_is_no_ref_is_not_handed_to_git(git: Git, mirror: Path, ref: str) -> None:
    with pytest.raises(OperatorError):
        git.fetch_ref(mirror, "file:///x", ref)


def test_a_commit_is_fetched_and_told(git: Git, mirror: Path, origin: Repository) -> None:
    first = fetched(git, mirror, origin, {"a": "1"})
    sha = origin.push({"b": "2"}, message="Train it\n\nwith body")
    assert not git.has_commit(mirror, sha)
    git.fetch_commit(mirror, origin.url, ref="refs/heads/main", sha=sha)
    commit = git.commit(mirror, sha)
    assert (commit.sha, commit.parents, commit.message) == (sha, (first,), "Train it\n\nwith body")
    assert commit.author_email == "EMAIL@x"


def test_a_commit_is_fetched_though_its_branch_moved_or_went(
    git: Git, mirror: Path, origin: Repository
) -> None:
    sha = origin.push({"a": "1"}, branch="feature")
    origin.call("commit", "-q", "--amend", "-m", "other")
    origin.call("push", "-q", "-f", "origin", "HEAD:refs/heads/feature")
    git.fetch_commit(mirror, origin.url, ref="refs/heads/feature", sha=sha)
    assert git.has_commit(mirror, sha)
    gone = origin.push({"b": "1"}, branch="gone")
    origin.call("push", "-q", "origin", ":refs/heads/gone")
    git.fetch_commit(mirror, origin.url, ref="refs/heads/gone", sha=gone)
    assert git.has_commit(mirror, gone)


def test_a_fetch_that_was_killed_half_way_is_made_good(git: Git, mirror: Path, origin: Repository) -> None:
    sha = origin.push({"a": "1"})
    left_behind = origin.bare / "objects" / sha[:2] / sha[2:]
    place = mirror / "objects" / sha[:2] / sha[2:]
    place.parent.mkdir()
    place.write_bytes(left_behind.read_bytes())  # the commit without its tree
    assert git.has_commit(mirror, sha)
    assert not git.is_fetched(mirror, sha)
    git.fetch_commit(mirror, origin.url, ref="refs/heads/main", sha=sha)
    assert git.read_file(mirror, sha, "a") == b"1"


def test_an_older_commit_comes_with_its_branch(git: Git, mirror: Path, origin: Repository) -> None:
    older = origin.push({"a": "1"})
    origin.push({"a": "2"})
    git.fetch_commit(mirror, origin.url, ref="refs/heads/main", sha=older)
    assert git.is_fetched(mirror, older)
    assert git.read_file(mirror, older, "a") == b"1"


def test_a_commit_that_exists_nowhere_is_an_error(git: Git, mirror: Path, origin: Repository) -> None:
    origin.push({"a": "1"})
    with pytest.raises(UpstreamError):
        git.fetch_commit(mirror, origin.url, ref="refs/heads/main", sha="1" * 40)


def test_changed_paths(git: Git, mirror: Path, origin: Repository) -> None:
    first = fetched(git, mirror, origin, {"a": "1", "d/ü b": "1"})
    second = fetched(git, mirror, origin, {"d/ü b": "2", "c": "1"})
    assert git.changed_paths(mirror, first, second) == ("c", "d/ü b")
    assert git.changed_paths(mirror, None, second) == ("c", "d/ü b")
    assert git.changed_paths(mirror, "0" * 40, first) == ("a", "d/ü b")
    assert git.changed_paths(mirror, "1" * 40, second) == ("c", "d/ü b")
    assert git.merge_base(mirror, first, second) == first


def test_workflow_files_are_read_from_objects(git: Git, mirror: Path, origin: Repository) -> None:
    sha = fetched(
        git,
        mirror,
        origin,
        {
            ".windlass/workflows/a.yaml": "a: 1\n",
            ".windlass/workflows/b.yml": "",
            ".windlass/workflows/c.txt": "x",
        },
    )
    found = git.read_folder(mirror, sha, ".windlass/workflows")
    assert found == {".windlass/workflows/a.yaml": b"a: 1\n", ".windlass/workflows/b.yml": b""}
    assert git.read_folder(mirror, sha, ".gradient/workflows") == {}
    assert git.read_file(mirror, sha, ".windlass/workflows/c.txt") == b"x"
    assert git.read_file(mirror, sha, "none") is None


@pytest.mark.parametrize("link", [".windlass/workflows/a.yaml", ".windlass/workflows", ".windlass"])
def test_a_workflow_behind_a_link_is_refused(git: Git, mirror: Path, origin: Repository, link: str) -> None:
    path = origin.clone / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/etc")
    sha = fetched(git, mirror, origin, {})
    with pytest.raises(AuthorError, match="is a link") as caught:
        git.read_folder(mirror, sha, ".windlass/workflows")
    assert caught.value.problems[0].path == link


def test_an_overlarge_workflow_is_refused_unread(git: Git, mirror: Path, origin: Repository) -> None:
    sha = fetched(git, mirror, origin, {"w/a.yaml": "x" * 100})
    with pytest.raises(AuthorError, match="100 bytes"):
        git.read_folder(mirror, sha, "w", limit_bytes=99)


def test_notes_of_several_writers_all_arrive(git: Git, tmp_path: Path, origin: Repository) -> None:
    one, two = origin.push({"a": "1"}), origin.push({"a": "2"})
    mirrors = [tmp_path / "m1.git", tmp_path / "m2.git"]
    for place in mirrors:
        git.init_mirror(place)
        for sha in (one, two):
            git.fetch_commit(place, origin.url, ref="refs/heads/main", sha=sha)
    update_note(git, mirrors[0], origin.url, one, lambda old: f"{old or ''}first")
    update_note(git, mirrors[1], origin.url, two, lambda old: f"{old or ''}other")
    update_note(git, mirrors[0], origin.url, two, lambda old: f"{(old or '').strip()}+second")
    assert origin.call("notes", "--ref=windlass", "show", one, at=origin.bare) == "first"
    assert origin.call("notes", "--ref=windlass", "show", two, at=origin.bare) == "other+second"
    assert fetch_note(git, mirrors[1], origin.url, two) == "other+second\n"


def test_no_note_is_none(git: Git, mirror: Path, origin: Repository) -> None:
    sha = fetched(git, mirror, origin, {"a": "1"})
    assert fetch_note(git, mirror, origin.url, sha) is None
    assert git.read_note(mirror, NOTES_REF, sha) is None


def test_a_notes_push_that_is_refused_by_the_server_gives_up(
    git: Git, mirror: Path, origin: Repository
) -> None:
    sha = fetched(git, mirror, origin, {"a": "1"})
    hook = origin.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(UpstreamError):
        update_note(git, mirror, origin.url, sha, lambda old: "x")


def test_nothing_that_a_working_tree_holds_is_started(git: Git, origin: Repository, tmp_path: Path) -> None:
    origin.push({"a": "1"})
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "core.editor"):
        origin.call("config", key, str(trap))
    assert git.top_level(origin.clone) == origin.clone
    assert git.working_files(origin.clone) == ("a",)
    assert not (tmp_path / "sprung").exists()


def test_working_files_are_tracked_or_not_ignored(git: Git, origin: Repository) -> None:
    origin.push({"kept": "1", ".gitignore": "*.log\n"})
    (origin.clone / "new é").write_text("")
    (origin.clone / "x.log").write_text("")
    assert set(git.working_files(origin.clone)) == {".gitignore", "kept", "new é"}


def test_a_folder_outside_any_repository_has_no_top_level(git: Git, tmp_path: Path) -> None:
    assert git.top_level(tmp_path) is None


def test_variables_of_a_hook_do_not_lead_git_astray(origin: Repository, tmp_path: Path) -> None:
    origin.push({"a": "1"})
    git = Git(environment=ENVIRONMENT | {"GIT_DIR": str(tmp_path / "none"), "GIT_INDEX_FILE": "/none"})
    assert git.working_files(origin.clone) == ("a",)


def test_a_machine_without_git_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="git is not installed"):
        Git(environment={"PATH": str(tmp_path)}).top_level(tmp_path)


def test_git_that_hangs_is_ended(tmp_path: Path) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nsleep 600 & wait\n")
    slow.chmod(0o755)
    git = Git(environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, network_timeout_s=0.2)
    with pytest.raises(UpstreamError, match="within"):
        git.ls_remote("file:///x")


def test_an_address_elsewhere_has_no_local_path() -> None:
    assert local_path("https://example.org/x.git") is None
    assert local_path("git@example.org:x.git") is None


@pytest.mark.parametrize(
    ("stderr", "branch"),
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", UpstreamError),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", UpstreamError),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", OperatorError),
        (
            "git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            OperatorError,
        ),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", OperatorError),
        ("fatal: detected dubious ownership in repository at '/x'", OperatorError),
        ("ssh: connect to host x port 22: Connection refused\nfatal: Could not read", UpstreamError),
        ("! [rejected] a -> a (non-fast-forward)", UpstreamError),
        ("error: file write error: No space left on device", OperatorError),
    ],
)
def test_complaints_of_git_say_whose_turn_it_is(stderr: str, branch: type[Exception]) -> None:
    assert isinstance(explain(["fetch"], stderr, url="https://x/"), branch)


def test_credentials_in_addresses_are_never_told() -> None:
    error = explain(["fetch"], "fatal: repository 'https://me:pw@x/y' not found", url="https://me:pw@x/y")
    assert "pw" not in str(error)
    assert without_credentials("https://me:pw@x/y and ssh://git@h") == "https://x/y and ssh://h"
