from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from windlass_registry.errors import OperatorError
from windlass_registry.trust.keys import CryptoSigner, KeyRing
from windlass_registry.trust.statements import Provenance, make_statement, read_statement, signed_by

SAID = Provenance(
    name="acme/train",
    version="1.0.0",
    digest="sha256:" + "0a" * 32,
    repository="https://git.example.org/actions",
    commit="1" * 40,
    is_dirty=False,
    folder="actions/train",
    publisher="acme.release",
    published=datetime(2026, 3, 1, 12, tzinfo=UTC),
    windlass="1.0",
)


@pytest.fixture
def signer(tmp_path: Path) -> CryptoSigner:
    return KeyRing(tmp_path / "keys").create("a")


@pytest.fixture
def other(tmp_path: Path) -> CryptoSigner:
    return KeyRing(tmp_path / "keys").create("b")


def read(content: bytes, *signers: CryptoSigner, threshold: int = 1) -> Provenance:
    keys = [each.public_key for each in signers]
    return read_statement(content, keys, threshold=threshold, shown="acme/train 1.0.0")


def test_what_was_signed_is_read(signer: CryptoSigner) -> None:
    content = make_statement(SAID, [signer])
    assert read(content, signer) == SAID
    assert signed_by(content) == (signer.public_key.keyid,)


def test_what_lay_in_no_repository_is_said_so(signer: CryptoSigner) -> None:
    bare = replace(SAID, repository=None, commit=None, is_dirty=True, folder="")
    assert read(make_statement(bare, [signer]), signer) == bare


def test_it_is_an_in_toto_statement_in_an_envelope(signer: CryptoSigner) -> None:
    envelope = json.loads(make_statement(SAID, [signer]))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "acme/train/1.0.0", "digest": {"sha256": "0a" * 32}}]


def test_who_else_signed_counts_for_nothing(signer: CryptoSigner, other: CryptoSigner) -> None:
    content = make_statement(SAID, [other])
    with pytest.raises(OperatorError, match="not signed by a release key"):
        read(content, signer)
    assert read(content, signer, other) == SAID


def test_several_signatures_may_be_asked_for(signer: CryptoSigner, other: CryptoSigner) -> None:
    assert read(make_statement(SAID, [signer, other]), signer, other, threshold=2) == SAID
    with pytest.raises(OperatorError):
        read(make_statement(SAID, [signer]), signer, other, threshold=2)


def test_a_changed_letter_breaks_it(signer: CryptoSigner) -> None:
    envelope = json.loads(make_statement(SAID, [signer]))
    payload = base64.b64decode(envelope["payload"]).replace(b"1.0.0", b"6.6.6")
    envelope["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(OperatorError, match="not signed"):
        read(json.dumps(envelope).encode(), signer)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"[" * 50_000, b'{"payload": 1}', b"null"])
def test_what_is_no_statement_is_refused(signer: CryptoSigner, content: bytes) -> None:
    with pytest.raises(OperatorError):
        read(content, signer)
    assert signed_by(content) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "other"},
        {"predicateType": "other"},
        {"subject": []},
        {"predicate": {}},
        {"subject": [{"name": "a\x1b[m/1.0.0", "digest": {"sha256": "00"}}]},
    ],
)
def test_a_signed_statement_of_another_form_is_refused(signer: CryptoSigner, change: dict[str, Any]) -> None:
    from securesystemslib.dsse import Envelope

    statement = json.loads(base64.b64decode(json.loads(make_statement(SAID, [signer]))["payload"]))
    envelope = Envelope(json.dumps({**statement, **change}).encode(), "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    with pytest.raises(OperatorError, match="cannot be read"):
        read(json.dumps(envelope.to_dict()).encode(), signer)
