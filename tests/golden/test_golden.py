"""Golden pairs: NAME.yaml is compiled for one fixed push and must give NAME.json, to the letter.

After a change that is meant: `WINDLASS_UPDATE_GOLDEN=1 pytest tests/golden`, and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from windlass_registry.catalog import Catalog
from windlass_runner.plan.codec import dumps, encode, loads
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow
from windlass_runner.workflow.triggers import match

FOLDER = Path(__file__).parent
PUSH = Event(
    kind="push",
    repository="https://example.org/acme/digits",
    ref="refs/heads/main",
    sha="1234567890123456789012345678901234567890",
    before="0123456789012345678901234567890123456789",
    actor="ada",
    head_message="Train longer",
    payload={"ref": "refs/heads/main", "head_commit": {"message": "Train longer"}},
)


def compile_file(name: str) -> Plan:
    source = (FOLDER / f"{name}.yaml").read_bytes()
    parsed = parse_workflow(source, path=f".windlass/workflows/{name}.yaml")
    reason = match(parsed.workflow, PUSH).reason
    return plan_run(
        parsed,
        event=PUSH,
        reason=reason,
        root=FOLDER,
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )


def without_digests(plan: object) -> object:
    """Packages' digests change with every edit of a package; that they are there is enough."""
    if isinstance(plan, dict):
        return {
            key: "sha256:…"
            if key == "digest" and str(value).startswith("sha256:")
            else without_digests(value)
            for key, value in plan.items()
        }
    return [without_digests(item) for item in plan] if isinstance(plan, list) else plan


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_a_workflow_compiles_to_its_golden_plan(name: str) -> None:
    found = json.dumps(without_digests(encode(compile_file(name))), indent=1, ensure_ascii=False) + "\n"
    golden = FOLDER / f"{name}.json"
    if os.environ.get("WINDLASS_UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_a_plan_survives_being_stored(name: str) -> None:
    plan = compile_file(name)
    assert loads(Plan, dumps(plan)) == plan


def test_the_same_values_give_the_same_plan() -> None:
    assert dumps(compile_file("matrix")) == dumps(compile_file("matrix"))
