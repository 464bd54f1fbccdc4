from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass_runner.ledger.ledger import Ledger


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Where the ledger of this test lies."""
    return str(tmp_path / "state" / "ledger.db")


@pytest.fixture
def ledger(address: str) -> Iterator[Ledger]:
    with Ledger.open(address) as opened:
        yield opened
