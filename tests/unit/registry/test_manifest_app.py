"""`app` of a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import windlass_registry
from windlass_registry.documents import compose, value_of
from windlass_registry.errors import AuthorError
from windlass_registry.manifest import ServedApp, parse_manifest

SCHEMA = json.loads((Path(windlass_registry.__file__).parent / "schemas" / "action.json").read_text())
HEAD = "name: A\nversion: 1.0.0\nruns: {using: python, main: main.py}\n"


def is_valid(text: str) -> bool:
    node = compose(text, path="action.yml")
    assert node is not None
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value_of(node))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{port: 8888}", ServedApp(port=8888)),
        (
            "{port: 1, path: /lab/tree, ready: '/api?x=1'}",
            ServedApp(port=1, path="/lab/tree", ready="/api?x=1"),
        ),
        ("", None),
    ],
)
def test_an_app_is_a_port_and_where_it_begins(written: str, read: ServedApp | None) -> None:
    text = f"{HEAD}app: {written}\n"
    assert parse_manifest(text, path="action.yml").app == read
    assert is_valid(text)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", "4:6: 'app' needs 'port'; name the port on which it serves HTTP, such as 8888"),
        ("8888", "4:6: 'app' must be a mapping, not a number"),
        ("{port: 0}", "4:13: 'port' of 'app' must be a whole number of at least 1, not '0'"),
        ("{port: 65536}", "4:13: 'port' of 'app' must be at most 65535"),
        (
            "{port: 1, path: lab}",
            "4:22: 'path' of 'app' must be a path below the app's address; write one such as /lab",
        ),
        ("{port: 1, path: //evil.example}", "4:22: 'path' of 'app' must be a path below the app's address"),
        ("{port: 1, ready: /../runs}", "4:23: 'ready' of 'app' must be a path below the app's address"),
        ("{port: 1, ready: '/a b'}", "4:23: 'ready' of 'app' must be a path below the app's address"),
        ("{prot: 1}", "4:7: unknown key 'prot' in 'app'"),
    ],
)
def test_what_is_wrong_with_it_is_told_at_its_place(written: str, problem: str) -> None:
    text = f"{HEAD}app: {written}\n"
    with pytest.raises(AuthorError) as caught:
        parse_manifest(text, path="action.yml")
    assert any(str(one).startswith(f"action.yml:{problem}") for one in caught.value.problems), str(
        caught.value
    )
    assert not is_valid(text)
