from __future__ import annotations

import pytest

from windlass_runner.daemon.commit_urls import commit_urls
from windlass_runner.daemon.repository_settings import RepositorySettings


@pytest.mark.parametrize(
    ("url", "forge", "page"),
    [
        ("https://github.com/acme/digits", "github", "https://github.com/acme/digits/commit/abc"),
        (
            "https://me:secret@git.example.org:8443/a/b.git",
            "gitea",
            "https://git.example.org:8443/a/b/commit/abc",
        ),
        ("https://gitlab.com/group/sub/b.git/", "gitlab", "https://gitlab.com/group/sub/b/-/commit/abc"),
        ("git@github.com:acme/digits.git", "github", "https://github.com/acme/digits/commit/abc"),
        ("ssh://git@host:2222/a/b.git", "gitea", "https://host/a/b/commit/abc"),
        ("file:///srv/git/digits.git", "gitea", None),
        ("https://git.example.org/a/b.git", "git", None),
    ],
)
def test_a_commit_has_a_page_on_its_forge(url: str, forge: str, page: str | None) -> None:
    found = commit_urls([RepositorySettings(url=url, name="b", forge=forge)])
    assert found(url, "abc") == page
    assert found("https://github.com/other/one", "abc") is None
