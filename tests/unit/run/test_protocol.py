import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.run.protocol import (
    ANNOTATIONS_KEPT,
    Annotation,
    Command,
    LineProtocol,
    LineResult,
    escape_data,
    parse_command,
)


def feed(*lines: str) -> list[LineResult]:
    protocol = LineProtocol()
    return [protocol.feed(line) for line in lines]


def test_an_error_with_all_properties_becomes_an_annotation() -> None:
    (result,) = feed("::error file=a/b.py,line=3,endLine=3,col=5,endColumn=9,title=Bad%2C very%3A::one%0Atwo")
    assert result.annotation == Annotation(
        level="error",
        message="one\ntwo",
        title="Bad, very:",
        file="a/b.py",
        line=3,
        end_line=3,
        column=5,
        end_column=9,
    )
    assert (result.text, result.kind) == ("one\ntwo", "error")


@pytest.mark.parametrize(
    "line",
    [
        "  ::warning::careful",
        "::WARNING::careful",
        "##[warning]careful",
        "2024-01-01 ##[warning]careful",
        "::warning ::careful",
    ],
)
def test_spellings_of_a_warning(line: str) -> None:
    (result,) = feed(line)
    assert (result.text, result.kind) == ("careful", "warning")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "plain",
        "std::vector::size",
        "text ::error::not at the start",
        "::unknown::text",
        "::error",
        "##[section]Starting",
        "::error:not closed",
        ":: error::space before the name",
    ],
)
def test_what_is_no_command_is_shown_as_it_is(line: str) -> None:
    assert feed(line) == [LineResult(text=line)]


def test_the_old_form_has_semicolons_and_its_own_escapes() -> None:
    assert parse_command("##[error file=a%3Bb;line=2;]x%5Dy") == Command(
        name="error", properties={"file": "a;b", "line": "2"}, data="x]y"
    )


@given(st.text())
def test_escaped_messages_come_back_whole(text: str) -> None:
    command = parse_command(f"::debug::{escape_data(text)}")
    assert command is not None
    assert command.data == text


def test_percent_25_is_unescaped_last() -> None:
    command = parse_command("::debug::%250A")
    assert command is not None
    assert command.data == "%0A"


def test_stopped_commands_are_text_until_the_token() -> None:
    results = feed(
        "::stop-commands::t0k3n-abc",
        "::error::no",
        "::other::",
        "::T0K3N-ABC::",
        "::error::yes",
        "::t0k3n-abc::",
    )
    assert [result.kind for result in results] == ["", "", "", "", "error", ""]
    assert results[0].masks == ("t0k3n-abc",)
    assert results[1].text == "::error::no"


@pytest.mark.parametrize("token", ["", "error", "pause-logging"])
def test_a_token_that_is_empty_or_a_command_is_refused(token: str) -> None:
    stopped, after = feed(f"::stop-commands::{token}", "::notice::works")
    assert stopped.has_failed
    assert after.kind == "notice"


def test_private_commands_work_while_commands_are_stopped_and_are_not_shown() -> None:
    protocol = LineProtocol(private=frozenset({"Step-1f"}))
    protocol.feed("::stop-commands::token-x")
    result = protocol.feed("::step-1f id=build::")
    assert result.text is None
    assert result.private == Command(name="step-1f", properties={"id": "build"}, data="")


def test_add_mask_shows_nothing_and_an_empty_one_warns() -> None:
    masked, empty = feed("::add-mask::p%25w", "::add-mask::")
    assert (masked.text, masked.masks) == (None, ("p%w",))
    assert (empty.kind, empty.masks) == ("warning", ())


def test_groups() -> None:
    assert [(r.kind, r.text) for r in feed("::group::Install it", "x", "::endgroup::")] == [
        ("group", "Install it"),
        ("", "x"),
        ("endgroup", ""),
    ]


def test_set_output_still_works_and_says_what_to_write_instead() -> None:
    good, nameless = feed("::set-output name=a.b::1%0A2", "::set-output::x")
    assert good.outputs == {"a.b": "1\n2"}
    assert good.annotation is not None
    assert "GITHUB_OUTPUT" in good.annotation.message
    assert nameless.has_failed


@pytest.mark.parametrize("line", ["::set-env name=A::b", "::add-path::/bin", "::echo::maybe"])
def test_disabled_and_malformed_commands_fail_the_step(line: str) -> None:
    assert feed(line)[0].has_failed


def test_echo_shows_the_commands() -> None:
    on, saved, off, hidden = feed(
        "::echo::on", "::save-state name=a::1", "::echo::off", "::save-state name=a::2"
    )
    assert on.text is None
    assert saved.text == "::save-state name=a::1"
    assert off.text == "::echo::off"
    assert hidden.text is None
    assert hidden.state == {"a": "2"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("endLine=4", (4, 4, None, None)),
        ("line=2,endColumn=7", (2, None, 7, 7)),
        ("col=3", (None, None, None, None)),
        ("line=1,endLine=2,col=3", (1, 2, None, None)),
        ("line=5,endLine=2", (None, None, None, None)),
        ("line=5,col=9,endColumn=2", (5, None, None, None)),
        ("line=x,col=y", (None, None, None, None)),
    ],
)
def test_lines_and_columns_that_do_not_fit_together(
    properties: str, expected: tuple[int | None, int | None, int | None, int | None]
) -> None:
    found = feed(f"::notice file=a,{properties}::m")[0].annotation
    assert found is not None
    assert (found.line, found.end_line, found.column, found.end_column) == expected


def test_only_the_first_remarks_of_each_level_are_kept() -> None:
    results = feed(*["::error::x"] * (ANNOTATIONS_KEPT + 5), "::warning::y")
    assert sum(result.annotation is not None for result in results) == ANNOTATIONS_KEPT + 1
    assert all(result.text for result in results)
