"""What YAML scalars mean; the reader's own rules are tested with the manifests that are read by it."""

from __future__ import annotations

import pytest

from windlass_registry.documents import Value, compose, value_of


def read(text: str) -> Value:
    node = compose(text, path="x.yaml")
    assert node is not None
    return value_of(node)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("false", False),
        ("true", True),
        ("'false'", "false"),
        ('"1"', "1"),
        ("3", 3),
        ("3.10", 3.1),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("''", ""),
        ("!!str 5", "5"),
        ("!!str true", "true"),
        ("1_000", "1_000"),
        ("|\n  5", "5"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, meant: Value) -> None:
    assert read(f"key: {written}") == {"key": meant}


def test_merge_keys_are_written_out_and_own_keys_win() -> None:
    assert read("base: &b {a: 1, b: 2}\nuse: {<<: *b, b: 3}") == {
        "base": {"a": 1, "b": 2},
        "use": {"a": 1, "b": 3},
    }


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert read("'<<': 1") == {"<<": 1}
