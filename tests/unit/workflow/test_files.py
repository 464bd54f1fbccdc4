"""Whole files: valid ones give a workflow, broken ones give every problem at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_registry.errors import AuthorError
from windlass_runner.workflow.parse import parse_workflow

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.yaml"))
BROKEN = sorted((HERE / "broken").glob("*.yaml"))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_is_read_without_warnings(path: Path) -> None:
    assert parse_workflow(path.read_bytes(), path=path.name).warnings == ()


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_gives_all_its_problems_at_their_places(path: Path) -> None:
    with pytest.raises(AuthorError) as caught:
        parse_workflow(path.read_bytes(), path=path.name)
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(path: Path) -> None:
    text = path.read_bytes()
    plain = parse_workflow(text, path=path.name)
    other = parse_workflow(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"), path=path.name)
    assert list(other.workflow.jobs) == list(plain.workflow.jobs)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_has_no_problem_twice_and_none_without_a_line(path: Path) -> None:
    with pytest.raises(AuthorError) as caught:
        parse_workflow(path.read_bytes(), path=path.name)
    problems = caught.value.problems
    assert len(set(problems)) == len(problems)
    assert all(problem.line and problem.column for problem in problems)
    assert not any("\n" in str(problem) for problem in problems)
