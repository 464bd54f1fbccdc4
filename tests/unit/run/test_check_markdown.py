import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from windlass_runner.run.check_markdown import (
    BARS_SHOWN,
    authored,
    bars,
    code,
    escape,
    fenced,
    link,
    plain,
    table,
)

NASTY = "`*_[]()<>|~&$#@!:/\\-+=.1wWaG\"'\n\r\t\x1b\u202e "


class Seen(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(
            MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def visible(text: str) -> str:
    return text.replace("\u200b", "").strip()


@settings(deadline=None)
@given(st.text(alphabet=NASTY))
def test_a_strangers_text_in_a_table_stays_text_in_its_cell(text: str) -> None:
    seen = Seen(table(("a", "b"), [(escape("x" + text), code("y" + text)), ("1", "2")]))
    assert [tag for tag in seen.tags if tag not in ("code", "thead", "tbody")] == [
        "table",
        *("tr", "th", "th"),
        *("tr", "td", "td"),
        *("tr", "td", "td"),
    ]
    cells = [visible(cell) for cell in seen.text.split("\n") if visible(cell)]
    assert cells == ["a", "b", plain("x" + text, 999), plain("y" + text, 999), "1", "2"]


@settings(deadline=None)
@given(st.text(alphabet=NASTY))
def test_nothing_that_a_forge_links_or_pings_is_left_in_a_text(text: str) -> None:
    shown = Seen(f"x {escape(text)}").text
    assert not re.search(r"@\w|#\d|://|\bwww\.|\bGH-\d", shown, re.IGNORECASE)


@settings(deadline=None)
@given(st.lists(st.text(alphabet=NASTY), min_size=1))
def test_lines_between_fences_cannot_end_them(lines: list[str]) -> None:
    seen = Seen(fenced(lines, line_limit=200) + "\n\nend")
    assert seen.tags == ["pre", "code", "p"]
    assert seen.text.endswith("end\n")


def test_colours_and_characters_that_steer_are_taken_out_of_a_log() -> None:
    assert (
        fenced(["\x1b[31mred\x1b[0m\x07 \u202eabc", "a\tb"], line_limit=99)
        == "```text\nred   abc\na    b\n```"
    )


def test_a_long_line_keeps_its_beginning_and_its_end() -> None:
    (line,) = fenced(["a" * 500 + "the end"], line_limit=40).split("\n")[1:-1]
    assert len(line) == 40
    assert line.startswith("aaa")
    assert line.endswith("the end")


def test_a_long_text_is_cut_before_it_is_escaped() -> None:
    assert escape("|" * 50, limit=5) == "&#124;" * 4 + "…"


def test_a_table_leaves_out_columns_without_a_value() -> None:
    assert table(("a", "b", "c"), [("1", "", "3")], right=(2,)) == "| a | c |\n| :-- | --: |\n| 1 | 3 |"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://ci.example.org/a?b=(c)", "[x&#124;](<https://ci.example.org/a?b=(c)>)"),
        ("javascript:alert(1)", "x&#124;"),
        ("https://a>b", "x&#124;"),
        (None, "x&#124;"),
    ],
)
def test_only_addresses_of_the_web_are_linked(address: str | None, text: str) -> None:
    assert link("x|", address) == text


def test_what_a_job_wrote_as_markdown_stays_markdown_and_pings_nobody() -> None:
    assert authored("# Done\n\n**by** @ada", 100) == "# Done\n\n**by** @\u200bada"


@pytest.mark.parametrize("opened", ["```python\nx = 1", "~~~~\n~~~\n", "```\na\n```\n````\n```"])
def test_a_fence_that_a_job_left_open_is_closed(opened: str) -> None:
    seen = Seen(authored(opened, 100) + "\n\nend")
    assert seen.tags[-1] == "p"
    assert seen.text.endswith("end\n")


def test_a_very_long_summary_is_cut_at_the_end_of_a_line() -> None:
    assert authored("one\ntwo\nthree", 10) == "one\ntwo\n\n… *(cut)*"
    assert authored("x" * 50, 10) == "x" * 10 + "\n\n… *(cut)*"


def test_bars_show_the_course_between_its_extremes() -> None:
    assert bars([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert bars([5, 5, 5]) == "▄▄▄"
    assert bars([]) == ""
    assert bars([1e308, -1e308, 0]) == "█▁▅"


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=200))
def test_bars_are_as_many_as_fit(values: list[float]) -> None:
    assert len(bars(values)) == min(len(values), BARS_SHOWN)
