"""What broken YAML is called, and where: slips that people really make in workflow files."""

from __future__ import annotations

import pytest

from windlass_registry.documents import compose
from windlass_registry.errors import AuthorError

FITS_NONE = "the indentation of this line fits no line above it"
STRAY_TEXT = "this line is neither 'key: value' nor a part of the text above it"


def problem(text: str) -> str:
    with pytest.raises(AuthorError) as caught:
        compose(text, path="w.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "jobs:\n  a:\n    inputs:\n      x: y\n   outputs: {}\n",
            f"w.yaml:5:4: {FITS_NONE}; align it with the keys that it belongs to (they begin on line 2)",
        ),
        (
            " on:\n  push:\njobs:\n  a: b\n",
            f"w.yaml:3:1: {FITS_NONE}; align it with the keys that it belongs to",
        ),
        (
            "with:\n  script: |-\n    cd x\n#   pip install\n    python y\n",
            f"w.yaml:5:5: {FITS_NONE}; the comment above it ended the text: "
            "indent the '#' like the text's lines",
        ),
        (
            "a:\n  b: c\n# to activate:\n\n on: push\n",
            f"w.yaml:5:2: {FITS_NONE}; align it with the keys that it belongs to (they begin on line 1)",
        ),
        (
            "needs:\n  - a\n  b: c\n",
            f"w.yaml:3:3: {FITS_NONE}; begin it with '- ' like the list above it, or indent it less",
        ),
        (": main\njobs: {}\n", "w.yaml:1:1: there is no key before this ':'; write one"),
    ],
)
def test_a_line_with_the_wrong_indentation_is_named(text: str, found: str) -> None:
    assert problem(text) == found


@pytest.mark.parametrize(
    ("text", "column"), [("with: {x: ${{ github.sha }}, y: 1}\n", 11), ("needs:\n  [a, ${{ x }}]\n", 7)]
)
def test_an_expression_between_braces_of_yaml_is_asked_for_quotes(text: str, column: int) -> None:
    assert problem(text) == (
        f"w.yaml:{text.rstrip().count(chr(10)) + 1}:{column}: an expression between YAML's own braces or "
        "brackets has to be quoted; write it as '${{ … }}', in quotes"
    )


def test_a_key_indented_below_a_value_is_told_from_a_colon_inside_one() -> None:
    assert problem("uses: x@v1\n  with:\n    a: b\n") == (
        "w.yaml:2:3: 'with' is indented as if it were a part of the value above it; "
        "align it with the keys that it belongs to"
    )
    assert problem("env:\n  A: secret: temp\n") == (
        "w.yaml:2:12: a second ': ' in one value; put the value in quotes"
    )


def test_text_that_fell_out_of_its_block_is_named_where_it_begins() -> None:
    remedy = "indent it like the text that it belongs to, or write ':' behind the key"
    assert (
        problem("script: |\n  python - <<'EOF'\nimport x\nx.run()\n") == f"w.yaml:3:1: {STRAY_TEXT}; {remedy}"
    )


def test_text_behind_a_quoted_value_keeps_the_parsers_words() -> None:
    assert problem('a: "b" c\n').startswith("w.yaml:1:8: did not find expected key")
