"""Tokens of the HTTP API, and questions that are asked once."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_runner.ledger.errors import TokenNameTaken, UnknownToken
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import TokenRecord


def token(id: str = "a1", **changes: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "id": id,
        "name": f"name of {id}",
        "digest": "d" * 64,
        "scopes": ("read", "run"),
        "repositories": ("digits",),
        "created_at": 10.0,
        "expires_at": 20.0,
    }
    return TokenRecord(**(values | changes))


def test_a_token_comes_back_as_it_was_added(ledger: Ledger) -> None:
    ledger.tokens.add(token())
    assert ledger.tokens.get("a1") == token()
    assert ledger.tokens.get("a2") is None


def test_tokens_are_listed_the_oldest_first(ledger: Ledger) -> None:
    for id, created_at in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        ledger.tokens.add(token(id, created_at=created_at))
    assert [each.id for each in ledger.tokens.list()] == ["a", "b", "c"]


def test_a_name_is_given_once(ledger: Ledger) -> None:
    ledger.tokens.add(token("a1", name="ci"))
    with pytest.raises(TokenNameTaken) as caught:
        ledger.tokens.add(token("a2", name="ci"))
    assert caught.value.name == "ci"
    assert ledger.tokens.get("a2") is None


@pytest.mark.parametrize("wanted", ["a1", "ci"])
def test_a_token_is_revoked_by_its_name_or_id(ledger: Ledger, wanted: str) -> None:
    ledger.tokens.add(token("a1", name="ci"))
    ledger.tokens.add(token("a2", name="other"))
    assert ledger.tokens.revoke(wanted).id == "a1"
    assert [each.id for each in ledger.tokens.list()] == ["a2"]
    with pytest.raises(UnknownToken):
        ledger.tokens.revoke(wanted)


def test_its_use_is_noted_to_the_minute(ledger: Ledger) -> None:
    ledger.tokens.add(token())
    noted = []
    for at in (100.0, 159.0, 160.0, 90.0):
        current = ledger.tokens.get("a1")
        assert current is not None
        ledger.tokens.note_use(current, at=at)
        after = ledger.tokens.get("a1")
        assert after is not None
        noted.append(after.last_used_at)
    assert noted == [100.0, 100.0, 160.0, 90.0]


def test_a_question_with_a_key_is_asked_once(ledger: Ledger) -> None:
    first = ledger.requests.put("start", {"workflow": "train"}, at=1.0, key="k")
    again = ledger.requests.put("start", {"workflow": "other"}, at=2.0, key="k")
    other = ledger.requests.put("start", {"workflow": "train"}, at=3.0, key="l")
    plain = [ledger.requests.put("start", {"workflow": "train"}, at=4.0) for _ in range(2)]
    assert again == first
    assert len({first, other, *plain}) == 4
    asked = ledger.requests.get(first)
    assert asked is not None
    assert asked.payload == {"workflow": "train"}
    ledger.requests.done(first, {"run_id": "r"})
    assert ledger.requests.put("start", {"workflow": "train"}, at=5.0, key="k") == first
    assert ledger.requests.get(max(plain) + 1) is None
