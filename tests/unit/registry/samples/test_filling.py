"""Filling a sample's template: values stay values, layout stays layout."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.documents import compose, scalar
from windlass_registry.errors import AuthorError
from windlass_registry.samples.filling import fill

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85\ufeff"))


def filled(template: str, **values: object) -> str:
    return fill(template, values, name="mine", folder="code", path="workflow.yaml")  # type: ignore[arg-type]


def test_a_value_takes_the_place_of_its_placeholder_and_nothing_else_changes() -> None:
    template = "# a comment\nepochs:   ${{ parameters.epochs }}  # how many\nname: ${{ sample.name }}\n"
    assert filled(template, epochs=3) == "# a comment\nepochs:   3  # how many\nname: mine\n"


def test_a_quoted_placeholder_alone_becomes_the_value_itself() -> None:
    assert filled("a: {default: '${{ parameters.n }}', x: 1}\n", n=12) == "a: {default: 12, x: 1}\n"


@pytest.mark.parametrize(
    "text", ["true", "3.10", "null", "a: b", "# x", "- y", "*z", "it's", '"', "${{ x }}", ""]
)
def test_text_that_yaml_would_take_for_something_else_stays_text(text: str) -> None:
    node = compose(filled("a: ${{ parameters.t }}\n", t=text), path="")
    assert isinstance(node, yaml.MappingNode)
    assert scalar(node.value[0][1]) == text


@given(TEXTS)
def test_whatever_a_value_holds_it_ends_where_the_placeholder_ended(text: str) -> None:
    template = (
        "a: ['${{ parameters.t }}', \"<${{ parameters.t }}>\", '${{parameters.t}}!']\n"
        "b: x ${{ parameters.t }}\n"
    )
    node = compose(filled(template, t=text), path="")
    assert isinstance(node, yaml.MappingNode)
    items = [scalar(item) for item in node.value[0][1].value]
    assert items == [text, f"<{text}>", f"{text}!"]
    assert scalar(node.value[1][1]) == f"x {text}"


def test_a_script_gets_the_value_as_text() -> None:
    template = "run: |\n  python train.py --epochs ${{ parameters.epochs }}\n  echo done\n"
    assert filled(template, epochs=7) == "run: |\n  python train.py --epochs 7\n  echo done\n"


def test_a_value_of_several_lines_does_not_go_into_a_block() -> None:
    with pytest.raises(AuthorError, match="several lines"):
        filled("run: |\n  echo ${{ parameters.t }}\n", t="a\nb")


def test_a_placeholder_in_a_longer_expression_is_refused_with_its_place() -> None:
    with pytest.raises(
        AuthorError, match=r"workflow\.yaml:1:5: 'parameters' stands within a longer expression"
    ):
        filled("if: ${{ inputs.x == parameters.y }}\n", y=1)


def test_what_the_runner_evaluates_later_stays_as_it_is() -> None:
    template = "run: echo ${{ inputs.epochs }} ${{ github.sha }}\n"
    assert filled(template) == template


def test_a_name_without_a_value_is_refused() -> None:
    with pytest.raises(AuthorError, match=r"'parameters\.nothing' has no value"):
        filled("a: ${{ parameters.nothing }}\n")
