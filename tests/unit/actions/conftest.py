from __future__ import annotations

from pathlib import Path

import pytest

from unit.actions.running import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    root = tmp_path / "job"
    root.mkdir()
    return Job.make(root)
