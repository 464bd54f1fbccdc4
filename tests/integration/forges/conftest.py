"""What the tests of the forges start from: a GitHub that is there only for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from github_double.server import GitHubDouble, open_double
from github_double.world import Repository
from integration.forges.posting import OTHER, SHA


@pytest.fixture
def hub() -> Iterator[GitHubDouble]:
    with open_double() as double:
        yield double


@pytest.fixture
def repository(hub: GitHubDouble) -> Repository:
    """`acme/digits` with two commits, and the App installed for it."""
    repository = hub.world.add_repository("acme/digits", commits=(SHA, OTHER))
    hub.world.install(repository)
    return repository
