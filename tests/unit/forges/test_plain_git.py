from __future__ import annotations

import json

import pytest

from windlass_runner.forges.base import BadDelivery, BadSignature
from windlass_runner.forges.plain_git import is_watched, parse_delivery
from windlass_runner.forges.signatures import sign

SECRET = "hush"
OLD, NEW = "1" * 40, "2" * 40


def _body(**changes: object) -> bytes:
    data = {"repository": "file:///srv/a.git", "ref": "refs/heads/main", "before": OLD, "after": NEW}
    return json.dumps({**data, **changes}).encode()


def _signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-windlass-signature-256": sign(body, secret)}


def test_a_signed_delivery_becomes_a_push() -> None:
    body = _body()
    parsed = parse_delivery(_signed(body), body, [SECRET])
    (event,) = parsed.events
    assert (parsed.repository, parsed.kind) == ("file:///srv/a.git", "push")
    assert (event.kind, event.ref, event.before, event.sha) == ("push", "refs/heads/main", OLD, NEW)


def test_the_signature_is_the_well_known_one() -> None:
    # The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign(b"Hello, World!", "It's a Secret to Everybody") == expected


def test_githubs_header_is_taken_too() -> None:
    body = _body()
    headers = {"x-hub-signature-256": sign(body, SECRET).upper().replace("SHA", "sha")}
    assert parse_delivery(headers, body, [SECRET]).events


def test_several_refs_may_come_in_one_delivery() -> None:
    moves = [
        {"ref": "refs/heads/main", "before": OLD, "after": NEW},
        {"ref": "refs/tags/v1", "before": "0" * 40, "after": NEW},
        {"ref": "refs/heads/gone", "before": OLD, "after": "0" * 40},
    ]
    body = json.dumps({"repository": "r", "updates": moves}).encode()
    events = parse_delivery(_signed(body), body, [SECRET]).events
    assert [event.ref for event in events] == ["refs/heads/main", "refs/tags/v1", "refs/heads/gone"]
    assert [event.is_deletion for event in events] == [False, False, True]
    assert events[1].is_creation


def test_a_push_of_notes_is_no_event() -> None:
    body = _body(ref="refs/notes/windlass")
    assert parse_delivery(_signed(body), body, [SECRET]).events == ()
    assert not is_watched("refs/notes/windlass")
    assert is_watched("refs/heads/refs/notes/x")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-windlass-signature-256": ""},
        {"x-windlass-signature-256": "sha256="},
        {"x-windlass-signature-256": "sha256=" + "0" * 64},
        {"x-windlass-signature-256": "sha1=" + "0" * 40},
        {"x-windlass-signature-256": "sha256=é"},
    ],
)
def test_an_unsigned_or_badly_signed_delivery_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        parse_delivery(headers, _body(), [SECRET])


def test_a_body_changed_on_the_way_is_refused() -> None:
    body = _body()
    with pytest.raises(BadSignature):
        parse_delivery(_signed(body), body + b" ", [SECRET])


def test_without_a_secret_nothing_is_taken() -> None:
    body = _body()
    with pytest.raises(BadSignature):
        parse_delivery(_signed(body, ""), body, [])


def test_the_signature_is_checked_before_the_body_is_read() -> None:
    with pytest.raises(BadSignature):
        parse_delivery(_signed(b"{", "wrong"), b"{", [SECRET])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        _body()[:-10],
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        _body(repository=7),
        _body(after="HEAD"),
        _body(after=None),
        _body(ref=""),
        _body(ref="refs/heads/a\0b"),
        _body(updates="x"),
        _body(updates=[1]),
        _body(before=5),
    ],
)
def test_a_signed_body_that_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(BadDelivery):
        parse_delivery(_signed(body), body, [SECRET])


def test_the_signed_id_goes_before_the_header() -> None:
    inside, outside = _body(delivery="a"), _body()
    assert parse_delivery({**_signed(inside), "x-windlass-delivery": "b"}, inside, [SECRET]).id == "git:a"
    assert parse_delivery({**_signed(outside), "x-windlass-delivery": "b"}, outside, [SECRET]).id == "git:b"


def test_a_delivery_without_an_id_is_known_by_its_body() -> None:
    one, same, other = (_body(), _body(), _body(after="3" * 40))
    ids = [parse_delivery(_signed(body), body, [SECRET]).id for body in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]
