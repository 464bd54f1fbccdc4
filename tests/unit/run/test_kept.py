from __future__ import annotations

import os
from pathlib import Path

import pytest

from windlass_runner.run.kept import Kept, names_in_use


def add(folder: Path, name: str, size: int = 100_000) -> Path:
    """A folder that an attempt has laid there."""
    place = folder / name / "inner"
    place.mkdir(parents=True)
    (place / "file").write_bytes(os.urandom(size))
    return place


def take(
    kept: Kept, added: Path, *, at: float, may_add: bool = True, used: frozenset[str] = frozenset()
) -> None:
    kept.take_over(added, may_add=may_add, in_use=lambda: frozenset({used}), at=at)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept", limit_bytes=250_000)


def names(kept: Kept) -> list[str]:
    return sorted(each.name for each in kept.root.iterdir())


def test_a_folder_is_taken_over_and_read_only(tmp_path: Path, kept: Kept) -> None:
    add(tmp_path / "new", "one")
    take(kept, tmp_path / "new", at=1)
    assert names(kept) == ["one"]
    assert (kept.root / "one/inner/file").stat().st_mode & 0o222 == 0
    assert list((tmp_path / "new").iterdir()) == []


def test_the_first_of_a_name_stays(tmp_path: Path, kept: Kept) -> None:
    add(tmp_path / "new", "one", size=3)
    take(kept, tmp_path / "new", at=1)
    add(tmp_path / "other", "one", size=5)
    take(kept, tmp_path / "other", at=2)
    assert (kept.root / "one/inner/file").stat().st_size == 3


def test_strangers_add_nothing(tmp_path: Path, kept: Kept) -> None:
    add(tmp_path / "new", "one")
    take(kept, tmp_path / "new", at=1, may_add=False)
    assert not kept.root.exists()


@pytest.mark.parametrize("name", [".hidden", "-x", "a b", "x" * 200, "sn\u00f6"])
def test_odd_names_are_left_aside(tmp_path: Path, kept: Kept, name: str) -> None:
    add(tmp_path / "new", name)
    take(kept, tmp_path / "new", at=1)
    assert not kept.root.exists()


def test_links_and_special_files_are_left_aside(tmp_path: Path, kept: Kept) -> None:
    place = add(tmp_path / "new", "pipes")
    os.mkfifo(place / "pipe")
    (tmp_path / "new" / "link").symlink_to("/etc")
    take(kept, tmp_path / "new", at=1)
    assert not kept.root.exists()


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path: Path, kept: Kept) -> None:
    for at, name in enumerate(("one", "two"), start=1):
        add(tmp_path / name, name)
        take(kept, tmp_path / name, at=at)
    (tmp_path / "mark").mkdir()
    (tmp_path / "mark" / "one").touch()
    take(kept, tmp_path / "mark", at=3)
    add(tmp_path / "three", "three")
    take(kept, tmp_path / "three", at=4)
    assert names(kept) == ["one", "three"]


def test_what_is_in_use_stays(tmp_path: Path, kept: Kept) -> None:
    for at, name in enumerate(("one", "two", "three"), start=1):
        add(tmp_path / name, name)
        take(kept, tmp_path / name, at=at, used="one")
    assert names(kept) == ["one", "three"]


def test_what_is_too_large_alone_is_refused(tmp_path: Path, kept: Kept) -> None:
    add(tmp_path / "new", "huge", size=900_000)
    refused = kept.take_over(tmp_path / "new", may_add=True, in_use=frozenset[str], at=1)
    assert refused == ("'huge' has more than 250,000 bytes",)
    assert not kept.root.exists()


def test_a_link_in_place_of_the_folder_leads_nowhere(tmp_path: Path, kept: Kept) -> None:
    """A job sees the folder below one that it can write to, and the host has other folders at its paths."""
    place = add(tmp_path / "host", "etc")
    (tmp_path / "new").symlink_to(tmp_path / "host")
    take(kept, tmp_path / "new", at=1)
    assert not kept.root.exists()
    assert (place / "file").stat().st_mode & 0o200
    assert names_in_use([tmp_path / "new"]) == frozenset()


def test_what_a_crash_has_left_goes_after_a_day(tmp_path: Path, kept: Kept) -> None:
    half = add(kept.root, ".one.new").parent
    os.utime(half, (1000, 1000))
    add(tmp_path / "new", "one")
    take(kept, tmp_path / "new", at=2000)
    assert names(kept) == [".one.new", "one"]
    add(tmp_path / "new", "two")
    take(kept, tmp_path / "new", at=100_000)
    assert names(kept) == ["one", "two"]


def test_attempts_say_what_they_use(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").touch()
    (tmp_path / "a" / ".half").mkdir()
    assert names_in_use([tmp_path / "a", tmp_path / "gone"]) == frozenset({"one"})
