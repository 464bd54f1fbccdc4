"""The page of a pull request, from the address of a remote."""

from __future__ import annotations

import pytest

from windlass_runner.commands.pull_request_pages import pull_request_page

BRANCH = "windlass/fit-1.1.0"


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/digits.git",
        "https://ann:secret@github.com/acme/digits",
        "git@github.com:acme/digits.git",
        "ssh://git@github.com/acme/digits.git",
        "ssh://git@github.com:22/acme/digits.git",
    ],
)
def test_each_spelling_of_a_remote_is_the_same_repository(remote: str) -> None:
    page = pull_request_page(remote, BRANCH)
    assert page == "https://github.com/acme/digits/compare/windlass/fit-1.1.0?expand=1"


def test_other_forges_have_pages_of_their_own() -> None:
    gitlab = pull_request_page("https://gitlab.example.org/group/sub/digits.git", BRANCH)
    assert gitlab is not None
    assert gitlab.startswith("https://gitlab.example.org/group/sub/digits/-/merge_requests/new?")
    assert gitlab.endswith("=windlass%2Ffit-1.1.0")
    gitea = pull_request_page("https://gitea.example.org:3000/acme/digits", BRANCH)
    assert gitea == "https://gitea.example.org:3000/acme/digits/compare/windlass/fit-1.1.0"
    assert pull_request_page("git@codeberg.org:acme/digits.git", BRANCH) is not None


@pytest.mark.parametrize(
    "remote", ["/srv/git/digits.git", "../digits", "file:///srv/digits", "https://git.example.org/d", ""]
)
def test_a_remote_that_tells_no_forge_has_no_page(remote: str) -> None:
    assert pull_request_page(remote, BRANCH) is None
