"""Texts with `${{ }}` in them, conditions, and what expressions refer to."""

from __future__ import annotations

import pytest

from windlass_runner.expressions import ExpressionError, FixedHost, parse
from windlass_runner.expressions.references import context_names, references
from windlass_runner.expressions.templates import (
    calls_status_function,
    condition,
    evaluate_condition,
    evaluate_template,
    evaluate_value,
    parse_template,
)
from windlass_runner.expressions.values import Untrusted, untrusted


def test_a_text_that_is_one_expression_keeps_the_type() -> None:
    assert evaluate_template("${{ fromJSON('[1]') }}", {}) == [1]
    assert evaluate_template("${{ true }}", {}) is True
    assert evaluate_template(" ${{ true }}", {}) == " true"


def test_texts_and_expressions_are_joined() -> None:
    assert evaluate_template("a${{ 1 }}${{ null }}b${{ x }}", {"x": {}}) == "a1bObject"
    assert evaluate_template("no $ {{ expression }}", {}) == "no $ {{ expression }}"


def test_closing_braces_in_a_string_do_not_close() -> None:
    assert evaluate_template("${{ '}}' }}-${{ 'it''s }}' }}", {}) == "}}-it's }}"


def test_a_text_is_as_untrusted_as_its_parts() -> None:
    value = evaluate_template("pr-${{ event.title }}", {"event": untrusted({"title": "x"})})
    assert value == "pr-x"
    assert isinstance(value, Untrusted)
    assert not isinstance(evaluate_template("pr-${{ 1 }}", {}), Untrusted)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("ab ${{ 'x }}", 3, "The expression is not closed"),
        ("ab ${{ }}", 3, "An expression was expected"),
        ("ab ${{ 1 == }}", 9, "Unexpected end of expression: '=='"),
        ("ab ${{  x }}", 8, "Unrecognized named-value: 'x'"),
    ],
)
def test_an_error_knows_its_place_in_the_text(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        parse_template(text, names=["github"])
    assert caught.value.offset == offset


def test_values_are_evaluated_all_the_way_down() -> None:
    value = {"${{ k }}": ["${{ 1 }}", {"x": "v${{ k }}"}], "n": 3, "none": None}
    assert evaluate_value(value, {"k": "key"}) == {"key": [1, {"x": "vkey"}], "n": 3, "none": None}


@pytest.mark.parametrize(
    ("text", "succeeded", "holds"),
    [
        ("", True, True),
        ("", False, False),
        ("true", False, False),
        ("${{ true }}", True, True),
        ("always() && true", False, True),
        ("${{ !success() }}", False, True),
        ("contains('${{', '{')", True, True),
        ("'0'", True, True),
        ("needs.a.result == 'failure'", False, False),
        ("false || failure() || true", False, True),
    ],
)
def test_a_condition_implies_success(text: str, succeeded: bool, holds: bool) -> None:
    host = FixedHost(succeeded=succeeded)
    assert evaluate_condition(text, {"needs": {}}, host=host) is holds


def test_a_condition_is_one_expression() -> None:
    with pytest.raises(ExpressionError, match="one expression"):
        condition("${{ github.x }} == 'a'")


def test_status_functions_are_found_anywhere() -> None:
    assert calls_status_function(parse("a.b[format('{0}', Always())] == 1"))
    assert not calls_status_function(parse("format('always()')"))


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("needs.train.outputs.model", {("needs", "train", "outputs", "model")}),
        ("Needs['train'].result", {("needs", "train", "result")}),
        ("needs.*.result", {("needs", "*")}),
        ("matrix[inputs.axis].x", {("matrix", "*"), ("inputs", "axis")}),
        ("toJSON(github) || !env.A", {("github",), ("env", "A")}),
        ("fromJSON(needs.a.outputs.b)[matrix.i].c", {("needs", "a", "outputs", "b"), ("matrix", "i")}),
        ("a[b[c.d]]", {("a", "*"), ("b", "*"), ("c", "d")}),
        ("1 == 'x'", set()),
    ],
)
def test_the_paths_that_an_expression_reads_are_known(expression: str, paths: set[object]) -> None:
    assert references(parse(expression)) == paths


def test_the_contexts_of_an_expression_are_known() -> None:
    assert context_names(parse("GitHub.ref == env.A && env.B")) == {"github", "env"}
