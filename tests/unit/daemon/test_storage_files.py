from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.storage_files import StorageUnwritable, keep_key


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    place = tmp_path / "link.key"
    key = keep_key(place)
    assert len(set(key)) > 8
    assert keep_key(place) == key
    assert place.stat().st_mode & 0o777 == 0o600
    assert keep_key(tmp_path / "other.key") != key


def test_what_a_crash_left_of_a_key_is_none(tmp_path: Path) -> None:
    (tmp_path / "link.key.new").write_bytes(b"half")
    assert len(keep_key(tmp_path / "link.key")) == 32


def test_a_key_that_was_damaged_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "link.key").write_bytes(b"")
    with pytest.raises(OperatorError, match="remove it"):
        keep_key(tmp_path / "link.key")


def test_a_storage_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StorageUnwritable, match="cannot be written"):
        keep_key(tmp_path / "store" / "link.key")
