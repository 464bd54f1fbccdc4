import os
import subprocess
import threading
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.forges.git import Git
from windlass_runner.run.workspace import Mirror, private_copy, snapshot_working_tree

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def run_git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{r}_{w}": "dev@example.org" for r in ("AUTHOR", "COMMITTER") for w in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT | who, check=True, text=True, capture_output=True
    )
    return done.stdout.strip()


@pytest.fixture
def git() -> Git:
    return Git(environment=ENVIRONMENT)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    run_git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / "src" / "train.py").write_text("print(1)\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("src/train.py")
    (folder / ".gitignore").write_text("*.log\n.windlass/out/\n")
    return folder


def save(work: Path) -> str:
    run_git(work, "add", "-A")
    run_git(work, "commit", "-q", "-m", "save")
    return run_git(work, "rev-parse", "HEAD")


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }


def test_a_commit_is_laid_out_once_and_copied_for_each_job(git: Git, work: Path, tmp_path: Path) -> None:
    sha = save(work)
    mirror = Mirror(git, tmp_path / "storage", work.as_uri())
    mirror.fetch(ref="refs/heads/main", sha=sha)
    tree = mirror.checkout(sha)
    assert files(tree) == {"src/train.py", "run.sh", "link", ".gitignore"}
    assert (tree / "run.sh").stat().st_mode & 0o111
    assert (tree / "link").readlink() == Path("src/train.py")
    one = private_copy(tree, tmp_path / "jobs" / "1")
    (one / "src" / "train.py").write_text("changed")
    two = private_copy(mirror.checkout(sha), tmp_path / "jobs" / "2")
    assert (two / "src" / "train.py").read_text() == "print(1)\n"
    assert private_copy(tree, one) == one
    assert (one / "src" / "train.py").read_text() == "changed"


def test_many_threads_may_ask_for_the_same_commit(git: Git, work: Path, tmp_path: Path) -> None:
    sha = save(work)
    found: list[Path] = []

    def ask() -> None:
        mirror = Mirror(git, tmp_path / "storage", str(work))
        mirror.fetch(ref="refs/heads/main", sha=sha)
        found.append(mirror.checkout(sha))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert [path.name for path in found[0].parent.iterdir()] == [sha]


def test_trees_that_nobody_has_used_for_a_day_go_and_can_be_made_again(
    git: Git, work: Path, tmp_path: Path
) -> None:
    mirror = Mirror(git, tmp_path / "storage", str(work))
    trees = []
    for number in range(3):
        (work / "n").write_text(str(number))
        sha = save(work)
        mirror.fetch(ref="refs/heads/main", sha=sha)
        trees.append(mirror.checkout(sha))
        os.utime(trees[-1], (number, number))
    assert [tree.exists() for tree in trees] == [False, False, True]
    assert mirror.checkout(trees[0].name).exists()


def test_filters_and_hooks_of_the_pushed_code_do_not_run(git: Git, work: Path, tmp_path: Path) -> None:
    (work / ".gitattributes").write_text("*.py filter=evil export-ignore\n*.bin filter=lfs\n")
    (work / "big.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[filter "evil"]\n\tsmudge = touch {tmp_path}/sprung\n\tclean = cat\n'
        f'[filter "lfs"]\n\tsmudge = touch {tmp_path}/sprung\n\trequired = true\n'
    )
    sha = save(work)
    git = Git(environment=ENVIRONMENT | {"HOME": str(home)})
    mirror = Mirror(git, tmp_path / "storage", str(work))
    mirror.fetch(ref="refs/heads/main", sha=sha)
    tree = mirror.checkout(sha)
    assert (tree / "src" / "train.py").read_text() == "print(1)\n"
    assert (tree / "big.bin").read_text().startswith("version")
    assert not (tmp_path / "sprung").exists()


def test_files_through_a_linked_folder_never_leave_the_tree(git: Git, work: Path, tmp_path: Path) -> None:
    # A commit made by hand: "d" is a link out, and "d/x" cannot stand below it.
    blob = run_git(work, "hash-object", "-w", "run.sh")
    target = tmp_path / "aim"
    target.write_text(str(tmp_path / "outside"))
    link = run_git(work, "hash-object", "-w", str(target))
    (tmp_path / "outside").mkdir()
    inner = subprocess.run(
        ["git", "mktree"],
        cwd=work,
        input=f"100644 blob {blob}\tx\n",
        text=True,
        capture_output=True,
        check=True,
    ).stdout.strip()
    entries = f"120000 blob {link}\td\n040000 tree {inner}\td\n"
    tree_sha = subprocess.run(
        ["git", "mktree"], cwd=work, input=entries, text=True, capture_output=True, check=True
    ).stdout.strip()
    sha = run_git(work, "commit-tree", tree_sha, "-m", "evil")
    run_git(work, "update-ref", "refs/heads/main", sha)
    mirror = Mirror(git, tmp_path / "storage", str(work))
    try:
        mirror.fetch(ref="refs/heads/main", sha=sha)
        mirror.checkout(sha)
    except OperatorError:
        pass
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_working_tree_is_taken_as_it_stands(git: Git, work: Path, tmp_path: Path) -> None:
    save(work)
    (work / "src" / "train.py").write_text("print(2)\n")
    (work / "new.txt").write_text("")
    (work / "x.log").write_text("")
    (work / "run.sh").unlink()
    for name in ("out", "state", "workflows"):
        (work / ".windlass" / name).mkdir(parents=True)
        (work / ".windlass" / name / "f").write_text("")
    copy = snapshot_working_tree(git, work, work / ".windlass" / "state" / "run-1" / "tree")
    assert files(copy) == {"src/train.py", "new.txt", "link", ".gitignore", ".windlass/workflows/f"}
    assert (copy / "src" / "train.py").read_text() == "print(2)\n"
    assert (copy / "link").is_symlink()


def test_a_repository_in_the_repository_is_copied_without_its_git_folder(
    git: Git, work: Path, tmp_path: Path
) -> None:
    inner = work / "vendor" / "lib"
    inner.mkdir(parents=True)
    run_git(inner, "init", "-q")
    (inner / "code.py").write_text("")
    (inner / ".gitignore").write_text("junk\n")
    (inner / "junk").write_text("")
    copy = snapshot_working_tree(git, work, tmp_path / "copy")
    assert {"vendor/lib/code.py", "vendor/lib/.gitignore"} <= files(copy)
    assert not any(".git/" in name or name.endswith("junk") for name in files(copy))


def test_a_folder_that_is_no_repository_is_copied_whole(git: Git, tmp_path: Path) -> None:
    root = tmp_path / "plain"
    for name in ("a", "d/b", ".windlass/out/x", ".windlass/state/x", ".windlass/workflows/w.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "pipe")
    copy = snapshot_working_tree(git, root, tmp_path / "copy")
    assert files(copy) == {"a", "d/b", ".windlass/workflows/w.yaml", "loop"}


def test_what_a_crash_left_half_copied_is_made_anew(git: Git, work: Path, tmp_path: Path) -> None:
    half = tmp_path / f".copy.{os.getpid()}.new"
    half.mkdir()
    (half / "stray").write_text("")
    copy = private_copy(work / "src", tmp_path / "copy")
    assert files(copy) == {"train.py"}


def test_a_missing_source_is_an_operators_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OperatorError):
        private_copy(tmp_path / "none", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_notes_go_through_the_mirror(git: Git, work: Path, tmp_path: Path) -> None:
    sha = save(work)
    mirror = Mirror(git, tmp_path / "storage", str(work))
    mirror.fetch(ref="refs/heads/main", sha=sha)
    mirror.update_note(sha, lambda old: f"{old or ''}state")
    assert mirror.fetch_note(sha) == "state\n"
    assert run_git(work, "log", "-1", "--notes=windlass", "--format=%N").strip() == "state"


def test_a_lock_that_a_crash_left_in_the_mirror_does_not_block_for_ever(
    git: Git, work: Path, tmp_path: Path
) -> None:
    sha = save(work)
    mirror = Mirror(git, tmp_path / "storage", str(work))
    mirror.fetch(ref="refs/heads/main", sha=sha)
    mirror.update_note(sha, lambda old: "one")
    stale = mirror.path / "refs" / "notes" / "windlass.lock"
    stale.touch()
    os.utime(stale, (1000, 1000))
    mirror.update_note(sha, lambda old: "two")
    assert mirror.fetch_note(sha) == "two\n"
