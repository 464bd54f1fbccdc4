import os
import stat
from pathlib import Path

import pytest

from windlass_runner.data.shared_folder import SharedFolder
from windlass_runner.data.trees import make_read_only


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the host, with a file in it that is nobody else's business."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "shadow").write_text("root")
    (folder / "shadow").chmod(0o600)
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def untouched(victim: Path) -> bool:
    modes = (stat.S_IMODE(victim.stat().st_mode), stat.S_IMODE((victim / "shadow").stat().st_mode))
    names = [path.name for path in victim.iterdir()]
    return modes == (0o700, 0o600) and names == ["shadow"] and (victim / "shadow").read_text() == "root"


def test_files_and_folders_are_made_with_what_leads_to_them(shared: Path) -> None:
    SharedFolder(shared).make_folder("steps/1", ["output"])
    SharedFolder(shared).write("steps/1/run", b"echo", mode=0o755)
    assert (shared / "steps/1/run").read_bytes() == b"echo"
    assert stat.S_IMODE((shared / "steps/1/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "steps/1").stat().st_mode) == 0o777
    assert stat.S_IMODE((shared / "steps/1/output").stat().st_mode) == 0o666


def test_what_a_file_says_stays_when_it_is_touched_and_goes_when_it_is_written(shared: Path) -> None:
    (shared / "output").write_text("x=1\n")
    SharedFolder(shared).make_folder("", ["output"])
    assert (shared / "output").read_text() == "x=1\n"
    SharedFolder(shared).write("output", b"")
    assert (shared / "output").read_text() == ""


def test_a_link_in_place_of_a_folder_is_not_followed(shared: Path, victim: Path) -> None:
    (shared / "steps").symlink_to(victim)
    for call in (
        lambda: SharedFolder(shared).make_folder("steps"),
        lambda: SharedFolder(shared).make_folder("steps/2"),
        lambda: SharedFolder(shared).make_folder("steps", ["shadow"]),
        lambda: SharedFolder(shared).write("steps/run", b"evil"),
    ):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            call()
    assert untouched(victim)


def test_a_link_in_place_of_a_file_is_not_followed_but_replaced_by_what_is_written(
    shared: Path, victim: Path
) -> None:
    (shared / "output").symlink_to(victim / "shadow")
    with pytest.raises(OSError, match="symbolic links"):
        SharedFolder(shared).make_folder("", ["output"])
    SharedFolder(shared).write("output", b"ours")
    assert (shared / "output").read_bytes() == b"ours"
    assert not (shared / "output").is_symlink()
    assert untouched(victim)


def test_a_link_at_the_name_beside_is_not_followed_either(shared: Path, victim: Path) -> None:
    (shared / ".run.new").symlink_to(victim / "shadow")
    SharedFolder(shared).write("run", b"ours")
    assert untouched(victim)


def test_a_pipe_in_place_of_a_file_is_told_and_does_not_block(shared: Path) -> None:
    os.mkfifo(shared / "output")
    with pytest.raises(OSError, match=r"No such device|no file"):
        SharedFolder(shared).make_folder("", ["output"])


def test_kept_files_lose_the_rights_of_whoever_made_them(tmp_path: Path) -> None:
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "su").write_text("")
    (folder / "su").chmod(0o6755)
    make_read_only(folder)
    assert stat.S_IMODE((folder / "su").stat().st_mode) == 0o555
