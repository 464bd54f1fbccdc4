"""`windlass tokens`, as people call it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from windlass_runner.ledger.ledger import Ledger


@pytest.fixture
def served(project: Any) -> Any:
    """A project whose daemon has run before."""
    project.write("windlass.toml", '[storage]\npath = "store"\n')
    Ledger.open(project.root / "store" / "ledger.db").close()
    return project


def listed(project: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.windlass("tokens", "list", "--json").out.splitlines()]


def test_a_token_is_shown_once_and_only_its_digest_is_kept(served: Any) -> None:
    made = served.windlass("tokens", "create", "ci", "--scope", "read", "--scope", "run")
    assert made.code == 0
    text = made.out.strip()
    assert text.startswith("wl_")
    assert "nothing shows it again" in made.err
    shown = served.windlass("tokens", "list")
    assert "ci" in shown.out
    assert "read,run" in shown.out
    assert "never used" in shown.out
    files = b"".join(path.read_bytes() for path in (served.root / "store").glob("ledger.db*"))
    assert text.split("_", 2)[2].encode() not in files


def test_it_ends_after_the_time_that_was_said(served: Any) -> None:
    before = time.time()
    made = served.windlass("tokens", "create", "ci", "--scope", "read", "--expires", "90d", "--json")
    token = json.loads(made.out)
    assert token["expires_at"] == pytest.approx(token["created_at"] + 90 * 86_400)
    assert token["created_at"] >= before - 1
    assert "token" not in listed(served)[0]


def test_a_revoked_token_is_gone(served: Any) -> None:
    for name in ("one", "two"):
        assert served.windlass("tokens", "create", name, "--scope", "read").code == 0
    assert served.windlass("tokens", "revoke", "one").code == 0
    assert [token["name"] for token in listed(served)] == ["two"]
    again = served.windlass("tokens", "revoke", "one")
    assert again.code == 3
    assert "there is no token 'one'" in again.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["create"], 2, "NAME"),
        (["create", "ci"], 2, "--scope"),
        (["create", "ci", "--scope", "all"], 2, "invalid choice"),
        (["create", "ci", "--scope", "read", "--expires", "soon"], 2, "not a length of time"),
        (["create", "taken", "--scope", "read"], 3, "there is a token 'taken' already"),
        ([], 2, "create|list|revoke"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(served: Any, words: list[str], code: int, said: str) -> None:
    served.windlass("tokens", "create", "taken", "--scope", "read")
    answer = served.windlass("tokens", *words)
    assert answer.code == code
    assert said in answer.err
    assert [token["name"] for token in listed(served)] == ["taken"]


def test_the_first_token_may_be_made_before_the_daemon_begins(project: Any) -> None:
    project.write("windlass.toml", '[storage]\npath = "store"\n')
    early = project.windlass("tokens", "list")
    assert (early.code, early.out) == (3, "")
    assert "there are no tokens yet" in early.err
    assert "windlass tokens create" in early.err
    assert not (project.root / "store").exists()
    assert project.windlass("tokens", "create", "ci", "--scope", "read").code == 0
    assert [token["name"] for token in listed(project)] == ["ci"]
