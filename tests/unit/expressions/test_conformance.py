"""The public conformance cases of GitHub's expression language (`../shared/conformance`)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.expressions import ExpressionError, evaluate
from windlass_runner.expressions.values import kind_of, plain

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
CASES = SHARED / "conformance" / "expressions"


def conformance_cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.json")):
        groups = json.loads(path.read_text(encoding="utf-8"))
        for group, cases in groups.items():
            for number, case in enumerate(cases):
                yield pytest.param(case, id=f"{path.stem}-{group}-{number}")


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared beside this repository")
def test_the_conformance_cases_are_there() -> None:
    assert len(list(conformance_cases())) > 400


@pytest.mark.parametrize("case", list(conformance_cases()))
def test_a_conformance_case_holds(case: dict[str, Any]) -> None:
    contexts = case.get("contexts", {})
    if "err" in case:
        with pytest.raises(ExpressionError) as caught:
            evaluate(case["expr"], contexts)
        assert caught.value.kind == case["err"]["kind"]
        assert str(caught.value) == case["err"]["value"]
        return
    value = evaluate(case["expr"], contexts)
    assert kind_of(value) == case["result"]["kind"]
    assert plain(value) == case["result"]["value"]
    if value == 0 and kind_of(value) == "Number":
        assert math.copysign(1, value) == math.copysign(1, case["result"]["value"])
