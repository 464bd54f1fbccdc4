from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.forges import Forges
from windlass_runner.daemon.settings import parse_settings
from windlass_runner.run.storage import Storage

SETTINGS = """
[credentials.here]
api_url = "https://git.example.org/api/v1"
token = {env = "HERE"}
[credentials.lab]
token = {env = "LAB"}
[[repository]]
url = "https://git.example.org/acme/digits"
forge = "gitea"
credentials = "here"
[[repository]]
url = "https://git.example.org/acme/letters"
forge = "gitea"
credentials = "here"
[[repository]]
url = "https://gitlab.com/acme/vision/digits"
forge = "gitlab"
credentials = "lab"
[[repository]]
url = "https://example.org/plain.git"
"""
DIGITS, LETTERS = "https://git.example.org/acme/digits", "https://git.example.org/acme/letters"
LAB, PLAIN = "https://gitlab.com/acme/vision/digits", "https://example.org/plain.git"


def forges(tmp_path: Path, **environ: str) -> Forges:
    return Forges(parse_settings(SETTINGS, path=tmp_path / "windlass.toml", environ=environ), environ)


def test_a_repository_is_served_by_its_own_forge_and_any_other_by_git_alone(tmp_path: Path) -> None:
    found = forges(tmp_path)
    plain: Any = object()
    assert [found.of(url, plain=plain).name for url in (DIGITS, LAB)] == ["gitea", "gitlab"]
    assert found.of(DIGITS, plain=plain) is found.of(LETTERS, plain=plain) is found.asked(LETTERS)
    assert found.of(PLAIN, plain=plain) is plain
    assert found.checks(PLAIN, Storage(tmp_path), None) is None
    assert found.checks(LAB, Storage(tmp_path), None) is not None
    with pytest.raises(OperatorError, match="has no forge that could be asked"):
        found.asked(PLAIN)


@pytest.mark.parametrize("token", ["", "two\nlines", "tökén"])
def test_what_is_no_token_goes_to_nobody(tmp_path: Path, token: str) -> None:
    for url, name in ((DIGITS, "HERE"), (LAB, "LAB")):
        asked = forges(tmp_path, **({name: token} if token else {})).asked(url)
        with pytest.raises(OperatorError, match=f"there is no token in the variable {name}; put it there"):
            asked.may_write(url, "mona")
