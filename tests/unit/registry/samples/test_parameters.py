"""A sample's parameters: the form, and what it takes."""

from __future__ import annotations

import pytest

from windlass_registry.errors import AuthorError
from windlass_registry.samples.manifest import parse_sample

HEAD = "name: demo\ndescription: Shows.\nversion: 1.0.0\nlicense: MIT\n"
PARAMETERS = """\
parameters:
  required: [bucket]
  properties:
    epochs: {type: integer, minimum: 1, default: 3}
    bucket: {type: string, pattern: '^[a-z]+$', title: Bucket}
    model: {enum: [small, large], default: small}
    sizes: {type: array, items: {type: integer}, default: [1]}
"""


def parameters():  # type: ignore[no-untyped-def]
    return parse_sample(HEAD + PARAMETERS, path="sample.yml").parameters


def test_the_form_asks_in_the_order_of_the_file() -> None:
    asked = [(one.name, one.default, one.is_required, one.choices) for one in parameters().form()]
    assert asked == [
        ("epochs", 3, False, ()),
        ("bucket", None, True, ()),
        ("model", "small", False, ("small", "large")),
        ("sizes", [1], False, ()),
    ]


def test_defaults_fill_what_is_not_given() -> None:
    values = parameters().complete({"bucket": "data"}, path="demo")
    assert values == {"epochs": 3, "bucket": "data", "model": "small", "sizes": [1]}


def test_texts_of_the_command_line_take_the_type_that_is_wanted() -> None:
    read = parameters().read
    assert (read("epochs", "5"), read("bucket", "5"), read("sizes", "[2, 3]")) == (5, "5", [2, 3])


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(AuthorError) as caught:
        parameters().complete({"epohcs": 3, "epochs": 5}, path="demo")
    texts = [str(problem) for problem in caught.value.problems]
    assert texts == [
        "demo:0:0: the sample has no parameter 'epohcs'; did you mean 'epochs'?",
        "demo:0:0: parameter 'bucket' has no value; give --param bucket=…",
    ]


def test_a_value_that_the_schema_forbids_is_told_with_the_reason() -> None:
    with pytest.raises(AuthorError, match="parameter 'epochs': 0 is less than the minimum of 1"):
        parameters().complete({"bucket": "data", "epochs": 0}, path="demo")
    with pytest.raises(AuthorError, match="one of small, large"):
        parameters().complete({"bucket": "data", "model": "huge"}, path="demo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parameters: {epochs: {type: integer}}", "needs 'properties'"),
        ("parameters: {properties: {n: {type: object}}}", "parameter 'n' needs a 'type'"),
        ("parameters: {properties: {n: {type: integer, default: x}}}", "default of parameter 'n'"),
        ("parameters: {required: [m], properties: {n: {type: integer}}}", "names 'm'"),
        ("parameters: {properties: {n: {type: integer, minimum: x}}}", "no JSON Schema"),
        ("name: Demo Sample", "stands twice"),
    ],
)
def test_a_broken_manifest_is_refused_at_its_place(text: str, message: str) -> None:
    with pytest.raises(AuthorError, match=message) as caught:
        parse_sample(HEAD + text + "\n", path="sample.yml")
    assert all(problem.line >= 1 for problem in caught.value.problems)


def test_a_manifest_says_all_that_it_lacks() -> None:
    with pytest.raises(AuthorError) as caught:
        parse_sample("title: x\n", path="sample.yml")
    assert len(caught.value.problems) == 4
