"""Rules of the language that the public conformance cases leave open, by GitHub's runner."""

from __future__ import annotations

import math
from typing import Any

import pytest

from windlass_runner.expressions import ExpressionError, FixedHost, evaluate, parse
from windlass_runner.expressions.values import Secret, Untrusted, plain, secret, untrusted

ITEMS: dict[str, Any] = {
    "items": [{"tags": [{"id": 1}, {"id": 2}]}, {"tags": {"x": {"id": 3}}}, {"other": 1}, 5, None],
    "steps": {"a": {"outcome": "success"}, "b": {"outcome": "failure"}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("items.*.tags.*.id", [1, 2, 3]),
        ("items.*.tags[0].id", [1]),
        ("items[0].tags[1].id", 2),
        ("steps.*.outcome", ["success", "failure"]),
        ("contains(steps.*.outcome, 'FAILURE')", True),
        ("steps.a.outcome.*", []),
        ("steps.missing.more", None),
        ("items[1.9].tags.x.id", 3),
        ("'it''s ''x'''", "it's 'x'"),
        ("0xFFFFFFFF", -1),
        ("'0X1' == 1", False),
        ("format('{0}', 123456789012345678)", "1.23456789012346E+17"),
        ("format('{0}', 1e15)", "1E+15"),
        ("format('{0}', 0.00001)", "1E-05"),
        ("format('{1}{0}{{{1}}}', 'a', true)", "truea{true}"),
        ("join(fromJSON('[1, true, null, \"x\", [], {}]'), '-')", "1-true--x-Array-Object"),
        ("join('abc', '-')", "abc"),
        ("join(fromJSON('{}'))", ""),
        ("startsWith('Straße', 'strasse')", False),
        ("endsWith('main', 'AIN')", True),
        ("startsWith(123, 12)", True),
        ("startsWith(items, '')", False),
        ("true && null || 'c'", "c"),
        ("1 < 2 == true", True),
        ("!true == false", True),
        ("'a' <= 'B' && 'B' >= 'a'", True),
        ("case(false, 1, true, 2, 3)", 2),
        ("case(false, 1, 3)", 3),
        ("case(true, 1, fromJSON('{'))", 1),
        ("TOJSON(null)", "null"),
        ("toJSON('\u2028\x7f\n\"')", '"\\u2028\x7f\\n\\""'),
        ('fromJSON(\'{"a": 1, "A": 2, "a": 3}\')', {"a": 3}),
        ("fromJSON('\"\\ud800\"')", "\ufffd"),
        ("fromJSON('1e999')", math.inf),
        ("fromJSON('12345678901234567890')", 12345678901234567890.0),
    ],
)
def test_an_expression_has_the_value_that_github_gives(expression: str, value: Any) -> None:
    assert evaluate(expression, ITEMS) == value


def test_json_is_written_with_two_spaces_and_keys_as_spelled() -> None:
    expected = '{\n  "B": [\n    1,\n    2.5,\n    []\n  ],\n  "a": {}\n}'
    assert evaluate("toJSON(x)", {"x": {"B": [1, 2.5, []], "a": {}}}) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("contains('a')", "Too few parameters supplied: 'contains'. Located at position 1"),
        ("1 == contains(1, 2, 3)", "Too many parameters supplied: 'contains'. Located at position 6"),
        ("nosuch(1)", "Unrecognized function: 'nosuch'. Located at position 1"),
        ("nosuch.a", "Unrecognized named-value: 'nosuch'. Located at position 1"),
        ("(1", "Unexpected end of expression: '1'. Located at position 2"),
        ("1 ==", "Unexpected end of expression: '=='. Located at position 3"),
        ("items.", "Unexpected end of expression: '.'. Located at position 6"),
        ("items[1", "Unexpected end of expression: '1'. Located at position 7"),
        ("1[0]", "Unexpected symbol: '['. Located at position 2"),
        ("items items", "Unexpected symbol: 'items'. Located at position 7"),
        ("join(items,)", "Unexpected symbol: ')'. Located at position 12"),
        ("*", "Unexpected symbol: '*'. Located at position 1"),
        ("case(true, 1, 2, 3)", "Even number of parameters supplied, requires an odd number of parameters"),
        ("(" * 60 + "1" + ")" * 60, "Exceeded max expression depth 50"),
        ("!" * 60 + "1", "Exceeded max expression depth 50"),
        ("1" + " == 1" * 60, "Exceeded max expression depth 50"),
        ("items" + ".a" * 60, "Exceeded max expression depth 50"),
    ],
)
def test_what_cannot_be_parsed_is_named_with_its_place(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, ITEMS)
    assert caught.value.kind == "parsing"
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'abc", "Unexpected symbol: ''abc'. Located at position 1 within expression: 'abc"),
        ("1 & 2", "Unexpected symbol: '&'. Located at position 3"),
        ("1 = 2", "Unexpected symbol: '='. Located at position 3"),
        ('"a"', "Unexpected symbol: '\"a\"'. Located at position 1"),
        ("1..2", "Unexpected symbol: '1..2'. Located at position 1"),
        ("true.a", "Unexpected symbol: '.a'. Located at position 5"),
        ("a$b", "Unexpected symbol: 'a$b'. Located at position 1"),
        ("1" * 21_001, "Exceeded max expression length 21000"),
    ],
)
def test_what_is_no_symbol_is_named_with_its_place(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression)
    assert caught.value.kind == "lexing"
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("fromJSON('{')", "Error parsing JSON when evaluating fromJson"),
        ("fromJSON('')", "Error parsing JSON when evaluating fromJson"),
        ("fromJSON('NaN')", "Error parsing JSON when evaluating fromJson"),
        ("case(1, 2, 3)", "case predicate must evaluate to a boolean value"),
        ("format('{0:x}', 'a')", "The following format string is invalid: {0:x}"),
        ("format('{256}', 'a')", "The following format string is invalid: {256}"),
    ],
)
def test_what_has_no_value_says_why(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, {})
    assert caught.value.kind == "evaluation"
    assert str(caught.value).startswith(message)


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(ExpressionError):
        evaluate("fromJSON(x)", {"x": "[" * 100_000})


def test_a_long_chain_of_alternatives_is_no_depth() -> None:
    assert evaluate("false" + " || false" * 500 + " || 7", {}) == 7


def test_names_and_functions_can_be_limited() -> None:
    parse("GitHub.ref == always()", names={"github"}, functions={"always"})
    with pytest.raises(ExpressionError, match="Unrecognized named-value: 'secrets'"):
        parse("secrets.x", names={"github"})
    with pytest.raises(ExpressionError, match="Unrecognized function: 'hashFiles'"):
        parse("hashFiles('*')", functions={"always"})


def test_status_functions_ask_the_host() -> None:
    host = FixedHost(succeeded=False, failed=True)
    assert evaluate("!success() && failure() && always() && !cancelled()", {}, host=host) is True


@pytest.mark.parametrize(
    ("expression", "mark"),
    [
        ("event.title", Untrusted),
        ("format('{0}', event.title)", Untrusted),
        ("format(event.title)", Untrusted),
        ("format('{0}', 'a')", str),
        ("join(event.labels)", Untrusted),
        ("join(event.labels, event.title)", Untrusted),
        ("toJSON(event)", Untrusted),
        ("toJSON(fromJSON(event.json))", Untrusted),
        ("fromJSON(event.json).a", Untrusted),
        ("format('{0}{1}', event.title, secrets.key)", Secret),
        ("toJSON(secrets)", Secret),
        ("case(true, event.title, 'a')", Untrusted),
        ("'' || event.title", Untrusted),
        ("event.labels.*", list),
        ("event.title == 'x'", bool),
        ("hashFiles('x')", str),
    ],
)
def test_a_strangers_string_stays_marked(expression: str, mark: type) -> None:
    contexts = {
        "event": untrusted({"title": "x", "labels": ["b"], "json": '{"a": "b"}'}),
        "secrets": secret({"key": "k"}),
    }
    value = evaluate(expression, contexts)
    assert type(value) is mark or (mark is list and type(value[0]) is Untrusted)
    assert not isinstance(plain(value), Untrusted)


@pytest.mark.parametrize("path", ["a", "A.b-c._d", "a.true.null", "env" + ".x" * 40])
def test_a_plain_path_is_read_alike_on_its_short_way(path: str) -> None:
    in_full = parse(f"{path} ")
    assert parse(path) == in_full
    assert parse(path, names={"a", "env"}) == in_full
