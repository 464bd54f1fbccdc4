"""Whatever somebody writes: a workflow or an `AuthorError`, never another exception."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_registry.errors import AuthorError
from windlass_runner.workflow import (
    parse_data,
    parse_filters,
    parse_jobs,
    parse_resources,
    parse_steps,
    parse_triggers,
)
from windlass_runner.workflow.parse import DEFAULTS_KEYS, FILE_KEYS, parse_workflow

FILES = sorted(Path(__file__).parent.glob("*/*.yaml"))
KEYS = sorted(
    FILE_KEYS
    | DEFAULTS_KEYS
    | parse_jobs.JOB_KEYS
    | parse_steps.STEP_KEYS
    | parse_triggers.EVENTS
    | parse_filters.FILTER_KEYS
    | parse_resources.RESOURCE_KEYS
    | parse_resources.RETRY_KEYS
    | parse_data.OUTPUT_KEYS
    | {"include", "exclude", "inputs", "health", "options", "a", "only"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(allow_nan=True),
    st.sampled_from(
        ["${{ a.b }}", "${{", "}}", "a.outputs.b", "secret:x", "!x", "", " ", "one", "[", "1h", "@", "a@"]
    ),
    st.text(max_size=12),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)


def read(text: str) -> None:
    with contextlib.suppress(AuthorError):
        parse_workflow(text, path="w.yaml")


@given(
    st.dictionaries(st.sampled_from(sorted(FILE_KEYS)), TREES, max_size=6),
    st.dictionaries(st.sampled_from(["a", "b", "uses"]), TREES),
)
@settings(max_examples=300, deadline=None)
def test_any_tree_of_known_words_is_read_or_refused(tree: dict[str, object], jobs: dict[str, object]) -> None:
    read(yaml.safe_dump({**tree, "jobs": jobs}, allow_unicode=True))


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_damaged_files_are_read_or_refused(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    chance = random.Random(7)
    for _ in range(60):
        start = chance.randrange(len(text))
        end = min(len(text), start + chance.randrange(1, 12))
        filling = chance.choice(
            ["", " ", "\n", ": ", "- ", "${{ ", "'", "[", "&a ", "*a", "!", "\t", text[start:end] * 2]
        )
        read(text[:start] + filling + text[end:])
