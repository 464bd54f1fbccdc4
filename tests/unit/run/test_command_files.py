import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.run.command_files import (
    OUTPUT_LIMIT,
    load_environment,
    load_outputs,
    load_paths,
    load_summary,
    parse_assignments,
    parse_environment,
    parse_paths,
)


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"", {}),
        (b"a=1\nb=2", {"a": "1", "b": "2"}),
        (b"a=1\r\n\r\nb=x y =z\r\n", {"a": "1", "b": "x y =z"}),
        (b"\xef\xbb\xbfa=1\n", {"a": "1"}),
        (b"a=\n", {"a": ""}),
        (b"a=1\na=2\n", {"a": "2"}),
        (b"a<<EOF\none\n\ntwo\nEOF\nb=1\n", {"a": "one\n\ntwo", "b": "1"}),
        (b"a<<EOF\nEOF\n", {"a": ""}),
        (b"a<<EOF\n\nEOF", {"a": ""}),
        (b"a<<EOF\none\nEOF ", None),
        (b"a<<EOF\r\none\r\ntwo\r\nEOF\r\n", {"a": "one\ntwo"}),
        (b"a<<EOF\none\r\nEOF\n", {"a": "one\r"}),
        (b"a=b<<c\n", {"a": "b<<c"}),
        (b"a<<E=F\nx\nE=F\n", {"a": "x"}),
        ("a=1\r\n".encode("utf-16"), {"a": "1"}),
    ],
)
def test_the_two_forms_of_an_assignment(content: bytes, values: dict[str, str] | None) -> None:
    found = parse_assignments(content)
    if values is None:
        assert found.problems
    else:
        assert (dict(found.values), found.problems) == (values, ())


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"ok=1\nnonsense\n", 2, "Invalid format 'nonsense'"),
        (b"=1\n", 1, "Name must not be empty"),
        (b"<<EOF\nEOF\n", 1, "delimiter must not be empty"),
        (b"\na<<\n", 2, "delimiter must not be empty"),
        (b"a<<EOF\nx\n", 1, "Matching delimiter not found 'EOF'"),
    ],
)
def test_a_malformed_file_says_where_and_why(content: bytes, line: int, words: str) -> None:
    (problem,) = parse_assignments(content).problems
    assert problem.line == line
    assert words in str(problem)


@given(st.text(alphabet=st.characters(exclude_characters="\r", exclude_categories=["Cs"])))
def test_any_text_goes_through_a_heredoc_unchanged(text: str) -> None:
    content = f"name<<a-rare-end\n{text}\na-rare-end\n".encode()
    assert parse_assignments(content).values == {"name": text}


@pytest.mark.parametrize("name", ["GITHUB_SHA", "RUNNER_OS", "NODE_OPTIONS", "github_token", "WINDLASS_RUN"])
def test_names_of_the_runner_cannot_be_set(name: str) -> None:
    found = parse_environment(f"A=1\n{name}=x\nB=2\n".encode())
    assert found.values == {"A": "1", "B": "2"}
    assert [problem.line for problem in found.problems] == [2]


def test_the_last_path_written_is_searched_first() -> None:
    assert parse_paths(b"/a\r\n\n/b c\n") == ("/b c", "/a")


def test_files_that_are_missing_set_nothing(tmp_path: Path) -> None:
    assert load_outputs(tmp_path / "x").values == {}
    assert load_environment(tmp_path / "x").problems == ()
    assert load_paths(tmp_path / "x") == ()
    assert load_summary(tmp_path / "x") == ("", None)


def test_a_file_that_a_job_turned_into_something_else_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a=1")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        found = load_outputs(tmp_path / name)
        assert found.values == {}
        assert len(found.problems) == 1


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"a=" + b"x" * OUTPUT_LIMIT)
    assert "more than" in str(load_outputs(tmp_path / "big").problems[0])
    summary, problem = load_summary(tmp_path / "big")
    assert summary == ""
    assert problem is not None
