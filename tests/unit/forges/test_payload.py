from __future__ import annotations

import pytest

from windlass_runner.forges.base import BadDelivery
from windlass_runner.forges.payload import Payload, parse_payload
from windlass_runner.workflow.events import NO_COMMIT


def test_a_refusal_names_the_key_by_its_whole_way() -> None:
    payload = Payload({"pull_request": {"head": {"sha": 1}}})
    with pytest.raises(
        BadDelivery, match=r"'pull_request\.head\.sha' is missing or not a commit's full name"
    ):
        payload.object("pull_request").object("head").commit("sha")
    with pytest.raises(BadDelivery, match=r"'repository' is missing or not an object"):
        payload.object("repository")


@pytest.mark.parametrize("value", [None, "", 1, ["a"], {}, "a\0b", "a\ud800", "a\x1b[31m"])
def test_a_word_is_text_that_can_be_passed_on_and_shown(value: object) -> None:
    payload = Payload({"ref": value})
    assert payload.word_or_none("ref") is None
    with pytest.raises(BadDelivery, match="'ref' is missing or not printable text"):
        payload.word("ref")


def test_prose_is_kept_without_what_is_no_character() -> None:
    assert Payload({"body": "a\0b\ud800 ü 🎉"}).prose("body") == "a\ufffdb\ufffd ü 🎉"
    assert [Payload({"body": value}).prose("body") for value in (None, 5)] == ["", ""]


@pytest.mark.parametrize("value", [None, 7, "HEAD", "a" * 39, "a" * 41, "G" * 40, "a" * 40 + "\n"])
def test_a_commit_is_named_in_full(value: object) -> None:
    assert Payload({"after": value}).commit_or_none("after") is None


def test_zeros_of_either_length_are_no_commit() -> None:
    payload = Payload({"short": "0" * 40, "long": "0" * 64, "real": "b" * 64})
    assert [payload.commit(key) for key in ("short", "long", "real")] == [NO_COMMIT, NO_COMMIT, "b" * 64]


@pytest.mark.parametrize("value", [None, "7", 0, -1, True, 7.0])
def test_a_number_counts_from_one(value: object) -> None:
    with pytest.raises(BadDelivery, match="'number' is missing or not a number"):
        Payload({"number": value}).number("number")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1',
        b"\xff{}",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 101 + b"{}" + b"}" * 101,
    ],
)
def test_what_is_not_one_whole_object_is_refused(text: bytes) -> None:
    with pytest.raises(BadDelivery):
        parse_payload(text)


def test_nesting_is_taken_as_far_as_github_goes() -> None:
    assert parse_payload(b'{"a":' * 99 + b"{}" + b"}" * 99).object_or_none("a") is not None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-02T00:00:00Z", 86_400.0),
        ("1970-01-02T01:00:00.5+01:00", 86_400.5),
        ("1970-01-02 00:00:00 UTC", 86_400.0),
        ("1970-01-02T00:00:00", 86_400.0),
        ("yesterday", None),
        (86_400, None),
        (None, None),
    ],
)
def test_a_moment_is_told_in_the_ways_of_all_forges(value: object, seconds: float | None) -> None:
    assert Payload({"created_at": value}).moment_or_none("created_at") == seconds
