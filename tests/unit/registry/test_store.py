from __future__ import annotations

import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from windlass_registry.archive import digest_folder, pack
from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.store import Store


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "sub").mkdir(parents=True)
    (folder / "action.yml").write_text("name: x\n")
    (folder / "sub" / "run.sh").write_text("echo\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_folder_is_found_again_by_its_digest(store: Store, package: Path) -> None:
    digest = store.add_folder(package)
    assert digest == digest_folder(package)
    assert digest_folder(store.path(digest)) == digest
    store.verify(digest)


def test_an_archive_becomes_the_same_package(store: Store, package: Path) -> None:
    assert store.add_archive(pack(package)) == digest_folder(package)


def test_adding_twice_changes_nothing(store: Store, package: Path) -> None:
    first = store.path(store.add_folder(package)).stat()
    again = store.path(store.add_folder(package)).stat()
    assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)


def test_nobody_may_write_to_a_stored_package(store: Store, package: Path) -> None:
    place = store.path(store.add_folder(package))
    modes = [each.lstat().st_mode for each in (place, *place.rglob("*")) if not each.is_symlink()]
    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes)


def test_a_changed_package_is_noticed(store: Store, package: Path) -> None:
    digest = store.add_folder(package)
    file = store.path(digest) / "action.yml"
    file.chmod(0o644)
    file.write_text("name: evil\n")
    with pytest.raises(OperatorError, match="was changed on disk"):
        store.verify(digest)


def test_what_is_not_there_is_said(store: Store) -> None:
    assert not store.has("sha256:" + "0" * 64)
    with pytest.raises(OperatorError, match="is not in the store"):
        store.path("sha256:" + "0" * 64)
    with pytest.raises(OperatorError):
        store.path("sha256:../../etc")


def test_a_broken_folder_leaves_nothing(store: Store, package: Path) -> None:
    (package / "out").symlink_to("/etc")
    with pytest.raises(AuthorError):
        store.add_folder(package)
    assert not store.root.exists()


def test_many_at_once_make_one_package(store: Store, package: Path) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        digests = set(pool.map(lambda _: Store(store.root).add_folder(package), range(24)))
    assert len(digests) == 1
    store.verify(digests.pop())
    assert leftovers(store) == []


def leftovers(store: Store) -> list[Path]:
    return list(store.root.glob("sha256/*/.new-*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from windlass_registry import store as module
step = int(sys.argv[3])
def dying(real):
    def call(*args):
        global step
        step -= 1
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)
    return call
for name in ("write_entries", "_make_read_only", "_flush_folder"):
    setattr(module, name, dying(getattr(module, name)))
module.Store(Path(sys.argv[1])).add_folder(Path(sys.argv[2]))
"""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_killed_writer_leaves_a_whole_package_or_none(store: Store, package: Path, step: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.root), str(package), str(step)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    digest = digest_folder(package)
    assert store.has(digest) == (step == 3)
    assert len(leftovers(store)) == (0 if step == 3 else 1)
    (package / "more").write_text("x")  # another package: the sweep is for all of the store
    store.add_folder(package)
    assert leftovers(store) == []


def test_a_store_below_a_file_is_the_owners_to_mend(tmp_path: Path, package: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(OperatorError, match="cannot write to the store"):
        Store(tmp_path / "store").add_folder(package)
