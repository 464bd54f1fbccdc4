from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.forges.base import Check, CheckAction, CheckAnnotation, CheckState
from windlass_runner.forges.github.checks import (
    annotation_key,
    cut_line,
    cut_text,
    digest,
    to_annotation,
    to_body,
)

REMARK = CheckAnnotation(path="train.py", line=3, end_line=3, level="failure", message="boom")


def check(**changes: Any) -> Check:
    values = {"name": "ci", "external_id": "r1", "state": "running", "title": "1 of 2 jobs", **changes}
    return Check(**values)


@pytest.mark.parametrize(
    ("state", "status", "conclusion"),
    [
        ("queued", "queued", None),
        ("waiting", "completed", "action_required"),
        ("running", "in_progress", None),
        ("success", "completed", "success"),
        ("failure", "completed", "failure"),
        ("cancelled", "completed", "cancelled"),
        ("skipped", "completed", "skipped"),
        ("timed_out", "completed", "timed_out"),
        ("neutral", "completed", "neutral"),
    ],
)
def test_every_state_has_its_word(state: CheckState, status: str, conclusion: str | None) -> None:
    body = to_body(check(state=state))
    assert (body["status"], body.get("conclusion")) == (status, conclusion)


def test_times_are_written_as_github_reads_them_and_an_end_only_at_the_end() -> None:
    times = {"started_at": 1_800_000_000.9, "completed_at": 1_800_000_060.0}
    done = to_body(check(state="success", **times))
    assert (done["started_at"], done["completed_at"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z")
    assert "completed_at" not in to_body(check(**times))


def test_only_addresses_that_a_browser_opens_are_told() -> None:
    assert to_body(check(url="https://ci.example.org/r1"))["details_url"] == "https://ci.example.org/r1"
    assert "details_url" not in to_body(check(url="file:///r1"))
    assert "details_url" not in to_body(check())


def test_buttons_are_cut_to_what_github_takes() -> None:
    action = CheckAction(label="Run it all again from the start", description="d" * 60, identifier="rerun")
    (first, *rest) = to_body(check(actions=(action,) * 5))["actions"]
    assert len(rest) == 2
    assert (len(first["label"]), len(first["description"])) == (20, 40)


def test_a_digest_changes_with_what_is_posted_and_only_then() -> None:
    assert digest(to_body(check())) == digest(to_body(check()))
    assert digest(to_body(check())) == digest(to_body(check(annotations=(REMARK,))))
    assert digest(to_body(check())) != digest(to_body(check(summary="more")))


def test_columns_are_told_on_one_line_only() -> None:
    one = CheckAnnotation(path="a.py", line=3, end_line=3, column=5, level="notice", message="m")
    several = CheckAnnotation(path="a.py", line=3, end_line=4, column=5, level="notice", message="m")
    assert (to_annotation(one)["start_column"], to_annotation(one)["end_column"]) == (5, 5)
    assert "start_column" not in to_annotation(several)


def test_an_annotation_without_place_gets_one_that_github_takes() -> None:
    bare = CheckAnnotation(path="", line=0, end_line=0, level="warning", message="")
    body = to_annotation(bare)
    assert (body["path"], body["start_line"], body["end_line"]) == (".github", 1, 1)
    assert body["message"]


def test_an_annotation_is_known_again_in_what_github_gives_back() -> None:
    sent = to_annotation(REMARK)
    given_back = {**sent, "title": None, "raw_details": None, "start_column": None, "blob_href": "x"}
    assert annotation_key(given_back) == annotation_key(sent)


def test_a_text_that_fits_is_left_alone() -> None:
    assert cut_text("a\n" * 30_000) == "a\n" * 30_000


def test_a_text_is_cut_between_lines_and_says_so() -> None:
    text = cut_text("0123456789\n" * 10_000)
    assert len(text.encode()) <= 65_535
    head, _, told = text.rpartition("\n\n")
    assert set(head.split("\n")) == {"0123456789"}
    assert told == "*Cut: 110,000 bytes are more than the 65,535 that GitHub takes.*"


def test_a_code_block_that_is_cut_is_closed() -> None:
    text = cut_text("```\n" + "x\n" * 50_000 + "```\n")
    assert text.count("```") == 2
    assert len(text.encode()) <= 65_535


@given(st.text(max_size=400), st.integers(150, 500))
def test_a_cut_counts_bytes_and_never_breaks_a_letter(text: str, limit: int) -> None:
    whole = (text + "🐉é\n") * 5
    cut = cut_text(whole, limit_bytes=limit)
    assert len(cut.encode()) <= limit
    assert "�" not in cut or "�" in whole


def test_a_line_is_one_line() -> None:
    assert cut_line("two\nlines  of text", 40) == "two lines of text"
    assert cut_line("x" * 50, 20) == "x" * 19 + "…"
