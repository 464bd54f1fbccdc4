"""The texts of tokens."""

from __future__ import annotations

import pytest

from windlass_runner.web.tokens import allows, id_in, is_expired, is_text_of, mint, sees


def test_a_text_names_its_record_and_proves_it() -> None:
    token, text = mint("ci", scopes=["read"], at=1.0)
    assert text.startswith(f"wl_{token.id}_")
    assert id_in(text) == token.id
    assert is_text_of(token, text)


def test_nothing_stored_gives_the_text() -> None:
    token, text = mint("ci", scopes=["read"], at=1.0)
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in repr(token)


def test_no_other_text_is_taken_for_it() -> None:
    token, text = mint("ci", scopes=["read"], at=1.0)
    other, other_text = mint("ci", scopes=["read"], at=1.0)
    assert other.id != token.id
    assert not is_text_of(token, other_text)
    assert not is_text_of(token, text[:-1])
    assert not is_text_of(token, text + "x")
    assert not is_text_of(token, token.digest)
    assert not is_text_of(token, "wl_\udc80")


@pytest.mark.parametrize(
    "text", ["", "wl", "wl__x", "wl_a", "wl_a_", "ghp_a_b", "wl_é_b", "wl_../x_b", f"wl_a_{'b' * 300}"]
)
def test_what_is_no_token_claims_no_id(text: str) -> None:
    assert id_in(text) is None


def test_it_ends_when_its_time_is_over() -> None:
    forever, _ = mint("a", scopes=["read"], at=100.0)
    short, _ = mint("b", scopes=["read"], at=100.0, lifetime_s=60.0)
    assert not is_expired(forever, at=1e12)
    assert [is_expired(short, at=at) for at in (100.0, 159.9, 160.0)] == [False, False, True]


def test_scopes_stand_for_themselves_and_admin_for_all() -> None:
    read, _ = mint("a", scopes=["read", "read"], at=1.0)
    boss, _ = mint("b", scopes=["admin"], at=1.0)
    assert read.scopes == ("read",)
    assert allows(read, "read")
    assert not allows(read, "run")
    assert not allows(read, "admin")
    assert allows(boss, "read")
    assert allows(boss, "run")


def test_without_a_limit_it_sees_every_repository() -> None:
    free, _ = mint("a", scopes=["read"], at=1.0)
    limited, _ = mint("b", scopes=["read"], repositories=["digits"], at=1.0)
    assert sees(free, "other")
    assert sees(limited, "digits")
    assert not sees(limited, "other")
