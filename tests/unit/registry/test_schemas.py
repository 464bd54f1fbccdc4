"""The schemas are for editors; the parser decides. These tests keep the two from drifting apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import windlass_registry
from windlass_registry.documents import compose, value_of
from windlass_registry.errors import AuthorError
from windlass_registry.lockfile import LOCK_KEYS, PIN_KEYS, parse_lock
from windlass_registry.manifest import (
    EXAMPLE_KEYS,
    MANIFEST_KEYS,
    PERMISSION_KEYS,
    RESOURCE_KEYS,
    parse_manifest,
)
from windlass_registry.manifest_inputs import CODES, INPUT_KEYS, INPUT_TYPES, OUTPUT_KEYS, OUTPUT_TYPES
from windlass_registry.manifest_runs import RUNS_KEYS
from windlass_registry.manifest_steps import STEP_KEYS
from windlass_registry.sources.builtin import builtin_folder


def schema(name: str) -> dict[str, Any]:
    folder = Path(windlass_registry.__file__).parent / "schemas"
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def suits(name: str, text: str) -> bool:
    node = compose(text, path="x")
    found = None if node is None else value_of(node)
    return jsonschema.Draft202012Validator(schema(name)).is_valid(found)


def test_the_schemas_are_schemas() -> None:
    for name in ("action.json", "lock.json"):
        jsonschema.Draft202012Validator.check_schema(schema(name))


def keys(part: dict[str, Any]) -> set[str]:
    return set(part["properties"])


def test_both_know_the_same_keys() -> None:
    found = schema("action.json")
    parts, top = found["$defs"], found["properties"]
    assert keys(found) == set(MANIFEST_KEYS)
    assert keys(parts["input"]) == set(INPUT_KEYS)
    assert keys(parts["output"]) == set(OUTPUT_KEYS)
    assert keys(parts["step"]) == set(STEP_KEYS)
    assert keys(top["permissions"]) == set(PERMISSION_KEYS)
    assert keys(top["resources"]) == set(RESOURCE_KEYS)
    assert keys(top["examples"]["items"]) == set(EXAMPLE_KEYS)
    for using in RUNS_KEYS:
        part = parts["node" if using.startswith("node") else using]
        assert keys(part) == {"using", *RUNS_KEYS[using]}
    assert [*parts["node"]["properties"]["using"]["enum"]] == [u for u in RUNS_KEYS if u.startswith("node")]


def test_both_know_the_same_words() -> None:
    parts = schema("action.json")["$defs"]
    assert parts["input"]["properties"]["type"]["enum"] == [*INPUT_TYPES, None]
    assert parts["input"]["properties"]["code"]["enum"] == [*CODES, None]
    assert parts["output"]["properties"]["type"]["enum"] == [*OUTPUT_TYPES, None]


RUNS = "runs: {using: python, main: main.py}"
HEAD = f"name: n\nversion: 1.0.0\n{RUNS}\n"
GOOD = [
    HEAD,
    HEAD + "inputs:",
    HEAD + "inputs: {a: , b: {required: 'true', default: [1], aliases: c}}",
    HEAD + "inputs: {a: {type: choice, options: [1]}, b: {code: shell}}",
    HEAD + "outputs: {a: {type: number}}\nmetrics: [loss]\ndeterministic: true",
    HEAD + "metrics: {loss: the loss}\nresources: {gpu: 1}\npermissions: {network: false}",
    HEAD + "examples: [{name: x, outputs: {a: {type: volume}}}]\nbranding: {icon: x}",
    "name: n\nversion: 1.0.0-rc.1\nruns: {using: docker, image: Dockerfile, args: [1, a], env: {A: 1}}",
    "name: n\nversion: 1.0.0\nruns: {using: docker, image: 'docker://a', args: '${{ inputs.x }}'}",
    "name: n\nversion: 1.0.0\nruns: {using: node20, main: i.js, post: p.js, post-if: always()}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, id: b, timeout-minutes: 5}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{uses: a@v1, with: {x: [1]}, env: {A: b}}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, continue-on-error: '${{ x }}'}]}",
]
APPROVAL = "name: n\nversion: 1.0.0\nruns: {using: approval, "
GOOD += [
    APPROVAL + "message: x}",
    APPROVAL + "approvers: [ada], approvals: 2, timeout-minutes: '${{ inputs.x }}'}",
]
BAD = [
    APPROVAL + "approvals: many}",
    APPROVAL + "timeout-minutes: 0}",
    APPROVAL + "main: main.py}",
    RUNS.replace("main: main.py", "x: 1"),
    HEAD + "vresion: 1",
    f"name: n\nversion: 1.0\n{RUNS}",
    f"name: n\nversion: latest\n{RUNS}",
    "name: n\nversion: 1.0.0",
    HEAD + "inputs: [a]",
    HEAD + "inputs: {a: {type: strin}}",
    HEAD + "inputs: {a: {type: choice}}",
    HEAD + "inputs: {a: {required: maybe}}",
    HEAD + "inputs: {a: {code: perl}}",
    HEAD + "inputs: {a: {desc: x}}",
    HEAD + "outputs: {a: {type: list}}",
    HEAD + "deterministic: perhaps",
    HEAD + "resources: {gpus: 1}",
    HEAD + "permissions: {internet: true}",
    HEAD + "examples: [{with: {}}]",
    HEAD + "branding: {colour: blue}",
    HEAD + "metrics: [[a]]",
    "name: n\nversion: 1.0.0\nruns: {using: docker}",
    "name: n\nversion: 1.0.0\nruns: {using: docker, image: a, main: b}",
    "name: n\nversion: 1.0.0\nruns: {using: python, main: ../x.py}",
    "name: n\nversion: 1.0.0\nruns: {using: rust, main: x}",
    "name: n\nversion: 1.0.0\nruns: {using: node20}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: []}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{name: x}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, uses: b@v1}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, with: {}}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, timeout-minutes: 0}]}",
    "name: n\nversion: 1.0.0\nruns: {using: composite, steps: [{run: a, env: {A: [1]}}]}",
]


def parses(text: str) -> bool:
    try:
        parse_manifest(text, path="action.yml")
    except AuthorError:
        return False
    return True


@pytest.mark.parametrize("text", GOOD)
def test_both_take_a_good_manifest(text: str) -> None:
    assert (parses(text), suits("action.json", text)) == (True, True)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse_a_broken_manifest(text: str) -> None:
    assert (parses(text), suits("action.json", text)) == (False, False)


def test_the_built_in_actions_suit_the_schema() -> None:
    for manifest in builtin_folder().glob("*/action.yml"):
        assert suits("action.json", manifest.read_text()), manifest


PIN = f"digest: 'sha256:{'0' * 64}', source: builtin"


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("lock: 1\nactions: {}", True),
        ("lock: 1", True),
        (f"lock: 1\nactions: {{a@v1: {{name: a, version: 1.0.0, {PIN}}}}}", True),
        (f"lock: 1\nactions: {{a@v1: {{name: a, {PIN}}}}}", True),
        ("actions: {}", False),
        ("lock: 3", False),
        (f"lock: 2\nimages: {{'python:3': {{digest: 'python@sha256:{64 * '0'}'}}}}", True),
        (f"lock: 2\nimages: {{mine: {{local-id: 'sha256:{64 * '0'}'}}}}", True),
        ("lock: 2\nimages: {mine: {}}", False),
        ("lock: 2\nimages: {mine: {digest: mine}}", False),
        (f"lock: 2\nactions: {{github.com/a/b@v1: {{name: b, commit: {40 * 'a'}, {PIN}}}}}", True),
        ("lock: 2\ndatasets: {digits: '3'}\nmodels: {}", True),
        ("lock: 1\nactoins: {}", False),
        ("lock: 1\nactions: {a@v1: {name: a}}", False),
        (f"lock: 1\nactions: {{a@v1: {{name: a, version: new, {PIN}}}}}", False),
        ("lock: 1\nactions: {a@v1: {name: a, digest: x, source: builtin}}", False),
    ],
)
def test_both_judge_a_lock_alike(text: str, is_good: bool) -> None:
    try:
        parse_lock(text, "lock.yaml")
        is_read = True
    except AuthorError:
        is_read = False
    assert (is_read, suits("lock.json", text)) == (is_good, is_good)


def test_both_know_the_same_keys_of_a_lock() -> None:
    found = schema("lock.json")
    assert keys(found) == set(LOCK_KEYS)
    assert keys(found["properties"]["actions"]["additionalProperties"]) == set(PIN_KEYS)
