from __future__ import annotations

import os
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.instance import sole_instance


def test_a_storage_has_one_holder_and_the_other_is_told_which(tmp_path: Path) -> None:
    with (
        sole_instance(tmp_path / "store"),
        pytest.raises(OperatorError, match=rf"\(process {os.getpid()}\)"),
        sole_instance(tmp_path / "store"),
    ):
        pass


def test_a_storage_is_free_again_when_its_holder_has_gone(tmp_path: Path) -> None:
    for _ in range(2):
        with sole_instance(tmp_path):
            pass


def test_a_storage_that_cannot_be_made_is_the_owners_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot be written"), sole_instance(tmp_path / "file" / "store"):
        pass
