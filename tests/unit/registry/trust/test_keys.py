from __future__ import annotations

import json
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_registry.trust.keys import KeyRing, load_public_key, parse_public_key


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


def test_a_key_pair_is_two_files_and_the_private_one_is_its_owners_alone(ring: KeyRing) -> None:
    signer = ring.create("acme.release")
    assert {path.name for path in ring.folder.iterdir()} == {"acme.release.key", "acme.release.pub"}
    assert ring.folder.stat().st_mode & 0o777 == 0o700
    assert ring.private_path("acme.release").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in ring.public_path("acme.release").read_text()
    assert ring.signer("acme.release").public_key == signer.public_key
    assert [each.name for each in ring.public()] == ["acme.release"]


def test_a_public_key_is_read_as_it_was_written(ring: KeyRing) -> None:
    key = ring.create("acme.owner").public_key
    found = load_public_key(ring.public_path("acme.owner"))
    assert found.key == key
    assert found.key.keyid == key.keyid
    assert len(found.fingerprint.split()) == 8


def test_no_key_is_written_over(ring: KeyRing) -> None:
    ring.create("acme.owner")
    before = ring.private_path("acme.owner").read_bytes()
    with pytest.raises(OperatorError, match="already"):
        ring.create("acme.owner")
    assert ring.private_path("acme.owner").read_bytes() == before
    assert ring.create_next("acme.owner")
    assert ring.create_next("acme.owner")
    assert [each.name for each in ring.public()] == ["acme.owner-2", "acme.owner-3", "acme.owner"]


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", ".hidden", "x" * 90])
def test_a_key_has_a_name_that_is_a_files(ring: KeyRing, name: str) -> None:
    with pytest.raises(OperatorError, match="name of a key"):
        ring.create(name)


def test_a_passphrase_is_needed_and_no_other_does(ring: KeyRing) -> None:
    ring.create("acme.owner", passphrase=b"open sesame")
    assert ring.is_encrypted("acme.owner")
    with pytest.raises(OperatorError, match="has a passphrase"):
        ring.signer("acme.owner")
    with pytest.raises(OperatorError, match="another one"):
        ring.signer("acme.owner", passphrase=b"open barley")
    assert ring.signer("acme.owner", passphrase=b"open sesame")


def test_a_passphrase_that_a_key_does_not_need_is_passed_over(ring: KeyRing) -> None:
    ring.create("acme.owner")
    assert ring.signer("acme.owner", passphrase=b"whatever")


def test_a_private_key_that_others_can_read_is_not_used(ring: KeyRing) -> None:
    ring.create("acme.owner")
    ring.private_path("acme.owner").chmod(0o640)
    with pytest.raises(OperatorError, match="chmod 600"):
        ring.signer("acme.owner")


def test_a_private_key_that_was_changed_says_so(ring: KeyRing) -> None:
    ring.create("acme.owner")
    ring.private_path("acme.owner").write_bytes(b"nonsense")
    with pytest.raises(OperatorError, match="it was changed"):
        ring.signer("acme.owner")
    ring.private_path("acme.owner").unlink()
    with pytest.raises(OperatorError, match="is not here"):
        ring.signer("acme.owner")


def test_keys_are_found_by_what_they_are_and_not_by_their_names(ring: KeyRing) -> None:
    first, second = ring.create("a").public_key, ring.create("b").public_key
    assert ring.find({second.keyid}) == ("b",)
    ring.private_path("a").unlink()
    assert ring.find({first.keyid, second.keyid}) == ("b",)


@pytest.mark.parametrize(
    "change",
    [{"public": "00"}, {"public": 7}, {"keytype": "rsa"}, {"name": "../x"}, {"windlass-key": 2}, {"more": 1}],
)
def test_a_public_key_of_another_form_is_refused(ring: KeyRing, change: dict[str, object]) -> None:
    ring.create("a")
    value = {**json.loads(ring.public_path("a").read_text()), **change}
    with pytest.raises(OperatorError, match="not the public half"):
        parse_public_key(json.dumps(value), shown="a.pub")


def test_a_private_key_in_place_of_a_public_one_is_named_as_what_it_is(ring: KeyRing) -> None:
    ring.create("a")
    with pytest.raises(OperatorError, match="is a private key"):
        load_public_key(ring.private_path("a"))
