from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.workflow.conditions import ConditionError, parse_condition


@pytest.mark.parametrize(
    ("text", "base", "found", "holds"),
    [
        (">= 0.9", None, 0.9, True),
        (">0.9", None, 0.9, False),
        ("<= 60", None, 60.5, False),
        ("< 1e-3", None, 0.0005, True),
        ("== 3", None, 3.0, True),
        ("!= 0", None, 0.0, False),
        (">= -.5", None, -0.4, True),
        (">= base", 0.85, 0.85, True),
        (">= BASE", 0.85, 0.84, False),
        (">= base - 0.5%", 0.80, 0.796, True),
        (">= base - 0.5%", 0.80, 0.7959, False),
        ("<= base + 5%", -10.0, -9.5, True),  # a share of the base's size, whatever its sign
        (">= base - 5%", -10.0, -10.5, True),
        (">= base - 5%", -10.0, -10.6, False),
        ("== base + 0.1", 0.2, 0.3, True),  # in decimals: 0.2 + 0.1 is 0.3
        ("< base*1.05", 2.0, 2.1, False),
        ("> base * 0", 2.0, 0.1, True),
    ],
)
def test_a_metric_is_held_against_a_figure(text: str, base: float | None, found: float, holds: bool) -> None:
    condition = parse_condition(text)
    bound = condition.bound(base)
    assert bound is not None
    assert condition.holds(found, bound) is holds


def test_without_a_base_there_is_nothing_to_compare_with() -> None:
    assert parse_condition(">= base * 2").bound(None) is None
    assert parse_condition(">= 2").bound(None) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("=> 0.9", "did you mean '>= 0.9'?"),
        ("= 0.9", "did you mean '== 0.9'?"),
        ("≥ base", "did you mean '>= base'?"),
        ("<> 0", "did you mean '!= 0'?"),
        ("~ 1", "'~' is no comparison; write one of >=, <=, >, <, ==, !="),
        ("0.9", "'0.9' compares with nothing; begin with one of >=, <=, >, <, ==, !="),
        ("high", "begin with one of >="),
        ("", "begin with one of >="),
        (">=", "write what to compare with"),
        (">= bsae", "did you mean 'base'?"),
        (">= main", "compare with a number or with base, such as"),
        (">= 95%", "a percentage is one of base: write '>= base - 95%'"),
        (">= base * 95%", "write '>= base * 0.95'"),
        (">= base - ", "compare with a number or with base"),
        (">= base / 2", "compare with a number or with base"),
        (">= base - 1 - 2", "compare with a number or with base"),
        (">= 1e999", "no metric is as large or as small as 1e999"),
        (">= nan", "compare with"),
    ],
)
def test_what_is_no_condition_says_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert told in f"{caught.value.problem}; {caught.value.remedy}"


@given(st.text(alphabet=">=<!base0123456789.%+-* e", max_size=20))
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    try:
        condition = parse_condition(text)
    except ConditionError:
        return
    bound = condition.bound(0.5)
    assert bound is not None
    condition.holds(0.5, bound)
