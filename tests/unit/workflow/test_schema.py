"""The JSON Schema for editors and the parser say the same."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from windlass_registry.documents import compose, value_of
from windlass_runner.workflow import (
    parse,
    parse_data,
    parse_filters,
    parse_inputs,
    parse_jobs,
    parse_resources,
    parse_schedule,
    parse_steps,
    parse_strategy,
    parse_triggers,
)

SCHEMA: dict[str, Any] = json.loads(
    (files("windlass_runner") / "schemas" / "workflow.json").read_text(encoding="utf-8")
)
HERE = Path(__file__).parent


def _objects(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = [node] if "properties" in node else []
    for choice in node.get("anyOf", []):
        found += _objects(choice)
    return found


def _keys(name: str | None) -> set[str]:
    node = SCHEMA if name is None else SCHEMA["$defs"][name]
    return {key for item in _objects(node) for key in item["properties"]}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (None, parse.FILE_KEYS),
        ("defaults", parse.DEFAULTS_KEYS),
        ("job", parse_jobs.JOB_KEYS),
        ("step", parse_steps.STEP_KEYS),
        ("resources", parse_resources.RESOURCE_KEYS),
        ("gpu", parse_resources.GPU_KEYS),
        ("retry", parse_resources.RETRY_KEYS),
        ("concurrency", parse_resources.CONCURRENCY_KEYS),
        ("strategy", parse_strategy.STRATEGY_KEYS),
        ("service", parse_strategy.SERVICE_KEYS),
        ("health", parse_strategy.HEALTH_KEYS),
        ("input", parse_inputs.INPUT_KEYS),
        ("ref", parse_inputs.WITH_KEYS),
        ("job-input", parse_data.JOB_INPUT_KEYS),
        ("output", parse_data.OUTPUT_KEYS),
        ("on", parse_triggers.EVENTS),
        ("event", None),
        ("push", parse_filters.FILTER_KEYS),
        ("pull_request", parse_triggers.PULL_REQUEST_KEYS),
        ("cron", parse_schedule.SCHEDULE_KEYS),
        ("webhook", parse_triggers.WEBHOOK_KEYS),
        ("version", parse_triggers.VERSION_KEYS),
        ("workflow_run", parse_triggers.WORKFLOW_RUN_KEYS),
        ("github", parse_filters.GITHUB_KEYS),
        ("only", parse_filters.ONLY_KEYS),
    ],
)
def test_schema_and_parser_know_the_same_keys(name: str | None, known: frozenset[str] | None) -> None:
    if known is None:
        assert set(SCHEMA["$defs"]["event"]["enum"]) == parse_triggers.EVENTS
    else:
        assert _keys(name) == known


def test_schema_and_parser_know_the_same_words() -> None:
    definitions = SCHEMA["$defs"]
    assert definitions["input"]["properties"]["type"]["enum"] == list(parse_inputs.INPUT_TYPES)
    assert definitions["cause"]["enum"] == list(parse_resources.RETRY_CAUSES)
    for name in ("job-input", "output"):
        (mapping,) = _objects(definitions[name])
        assert mapping["properties"]["type"]["enum"] == list(parse_data.OUTPUT_TYPES)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_definition_of_the_schema_is_used() -> None:
    text = json.dumps(SCHEMA)
    assert [name for name in SCHEMA["$defs"] if f'"#/$defs/{name}"' not in text] == []


@pytest.mark.parametrize("path", sorted((HERE / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_parser_takes_the_schema_takes(path: Path) -> None:
    node = compose(path.read_bytes(), path=path.name)
    assert node is not None
    problems = jsonschema.Draft202012Validator(SCHEMA).iter_errors(value_of(node))
    assert [f"{problem.json_path}: {problem.message}" for problem in problems] == []


@pytest.mark.parametrize("name", ["another-systems-file", "many-at-once", "gradient-slips", "jobs"])
def test_unknown_keys_are_wrong_for_the_schema_too(name: str) -> None:
    node = compose((HERE / "broken" / f"{name}.yaml").read_bytes(), path=name)
    assert node is not None
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(value_of(node))
