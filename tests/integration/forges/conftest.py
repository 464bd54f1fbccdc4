"""What the tests of the forges start from: a GitHub that is there only for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from github_double.server import GitHubDouble, open_double


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double() as double:
        yield double
