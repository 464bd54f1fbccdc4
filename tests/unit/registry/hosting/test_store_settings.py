"""`store.toml`: where a registry's public files lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.store_settings import (
    STORE,
    load_store,
    make_store,
    parse_store,
    read_keys,
)

KEYS = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = hush\n"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = make_store(
        "s3://packages/team/windlass/",
        folder=tmp_path,
        endpoint="https://s3.example.org:9000/",
        region="eu-1",
        credentials="private/store.keys",
    )
    (tmp_path / STORE).write_text(made.to_text())
    assert load_store(tmp_path) == made
    assert (made.bucket, made.prefix) == ("packages", "team/windlass")
    assert made.path_style
    assert made.credentials == tmp_path / "private" / "store.keys"


def test_amazons_own_takes_no_more_than_a_bucket(tmp_path: Path) -> None:
    found = parse_store('url = "s3://packages"', path=tmp_path / STORE)
    assert (found.prefix, found.endpoint, found.path_style, found.url) == ("", None, False, "s3://packages")
    assert load_store(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "s3://b-b"\n\nendpont = "x"', r"toml:3: unknown key 'endpont'; did you mean 'endpoint'\?"),
        ('url = "s3://b-b"\npath_style = "yes"', "store.toml:2: 'path_style' must be true or false"),
        ('region = "eu"', "no 'url'; write url ="),
        ('url = "https://b-b/x"', "is no place in a store; write it as s3://bucket/prefix"),
        ('url = "s3://b-b/../x"', "is no place in a store"),
        ('url = "s3://b-b"\nendpoint = "s3.example.org"', "is no endpoint of a store"),
        ('url = "s3://b-b"\nendpoint = "https://a:b@s3.example.org"', "holds a password; put it into"),
        ("url = = 1", "is not TOML: .*line 1"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        parse_store(text, path=tmp_path / STORE)


def test_keys_are_read_from_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEYS + "aws_session_token = now%\n")
    path.chmod(0o640)
    with pytest.raises(OperatorError, match=r"others may read .*chmod 600"):
        read_keys(path)
    path.chmod(0o600)
    keys = read_keys(path)
    assert (keys.access_key, keys.secret_key, keys.token) == ("AKIA", "hush", "now%")
    assert "hush" not in repr(keys)


@pytest.mark.parametrize("text", ["hush", "[default]\nsecret hush", KEYS.replace("[default]", "[hush]"), ""])
def test_a_file_that_holds_no_keys_is_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(OperatorError, match=r"holds no credentials of a store; write \[default\]") as caught:
        read_keys(path)
    assert "hush" not in str(caught.value)
    path.unlink()
    with pytest.raises(OperatorError, match="cannot read the store's credentials"):
        read_keys(path)
