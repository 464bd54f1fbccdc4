import os
from pathlib import Path

import pytest

from windlass_runner.data.digests import measure
from windlass_runner.data.trees import (
    copy_tree,
    link_tree,
    make_read_only,
    remove_folder,
    remove_tree,
    walk,
)


def fill(folder: Path, count: int) -> None:
    for number in range(count):
        place = folder / f"d{number % 7}" / f"f{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{number}")
    (folder / "run.sh").write_text("")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("d0/f0")
    (folder / "dangling").symlink_to("/nowhere")
    os.utime(folder / "run.sh", (1000, 1000))


@pytest.mark.parametrize("count", [5, 300])
def test_a_copy_is_equal_but_shares_no_file(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "a", count)
    copy_tree(tmp_path / "a", tmp_path / "b")
    assert measure(tmp_path / "a") == measure(tmp_path / "b")
    assert (tmp_path / "b" / "run.sh").stat().st_mtime == 1000
    assert (tmp_path / "b" / "link").is_symlink()
    (tmp_path / "b" / "d0" / "f0").write_text("changed")
    assert (tmp_path / "a" / "d0" / "f0").read_text() == "0"


def test_pipes_are_left_out_of_a_small_copy(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe")
    copy_tree(tmp_path / "a", tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == []


def test_a_linked_tree_is_the_same_files_under_second_names(tmp_path: Path) -> None:
    fill(tmp_path / "a", 10)
    link_tree(tmp_path / "a", tmp_path / "b")
    assert measure(tmp_path / "a") == measure(tmp_path / "b")
    assert (tmp_path / "b" / "run.sh").stat().st_ino == (tmp_path / "a" / "run.sh").stat().st_ino
    link_tree(tmp_path / "a" / "run.sh", tmp_path / "c")
    assert (tmp_path / "c").stat().st_nlink == 3


def test_the_digest_sees_names_contents_links_and_the_right_to_execute(tmp_path: Path) -> None:
    found = set()
    for name, change in {
        "same": lambda p: None,
        "name": lambda p: (p / "run.sh").rename(p / "go.sh"),
        "content": lambda p: (p / "run.sh").write_text("x"),
        "mode": lambda p: (p / "run.sh").chmod(0o644),
        "link": lambda p: ((p / "link").unlink(), (p / "link").symlink_to("d0/f1")),
        "folder": lambda p: (p / "empty").mkdir(),
    }.items():
        fill(tmp_path / name, 3)
        change(tmp_path / name)
        found.add(measure(tmp_path / name).digest)
    assert len(found) == 6


def test_read_only_trees_can_be_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "outside", 2)
    fill(tmp_path / "a", 20)
    (tmp_path / "a" / "away").symlink_to(tmp_path / "outside")
    make_read_only(tmp_path / "a")
    remove_tree(tmp_path / "a")
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "outside" / "d0" / "f0").stat().st_mode & 0o200


def test_walking_gives_folders_before_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "x").write_text("")
    (tmp_path / "a").write_text("")
    assert [path for path, _ in walk(tmp_path)] == ["a", "b", "b/c", "b/c/x"]


def test_a_folder_is_removed_however_deep_a_job_has_made_it(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").touch()
    (tmp_path / "a").mkdir()
    place = os.open(tmp_path / "a", os.O_RDONLY)
    for _ in range(1500):  # more than Python calls deep, more than a process may hold open
        os.mkdir("d", dir_fd=place)
        os.symlink(victim, "link", dir_fd=place)
        place, outer = os.open("d", os.O_RDONLY, dir_fd=place), place
        os.close(outer)
    os.close(place)

    remove_tree(tmp_path / "a")

    assert list(tmp_path.iterdir()) == [victim]
    assert (victim / "kept").exists()


def test_what_may_not_be_removed_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        remove_folder(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        remove_folder(tmp_path / "nothing")
