from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.forges.base import Command
from windlass_runner.forges.comments import MOST_COMMANDS, parse_comment

SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"


def asked(text: str) -> list[str]:
    """What a comment asks for, each as one text: the kind and what it names."""
    commands = parse_comment(text, repository="acme/digits", number=7, actor="mona")
    return [" ".join(filter(None, (one.kind, one.workflow, one.job, one.sha))) for one in commands]


def test_a_command_says_who_asks_and_where() -> None:
    (command,) = parse_comment("/retest", repository="acme/digits", number=7, actor="mona")
    assert command == Command(kind="rerun", repository="acme/digits", number=7, actor="mona")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/retest", ["rerun"]),
        ("/retest-failed", ["rerun_failed"]),
        ("/cancel", ["cancel"]),
        ("/test digits", ["test digits"]),
        ("/test Train the model  ", ["test Train the model"]),
        (f"/ok-to-test {SHA}", [f"approve {SHA}"]),
        (f"/ok-to-test {SHA.upper()}", [f"approve {SHA}"]),
        (f"/ok-to-test {'a' * 64}", [f"approve {'a' * 64}"]),
        ("/approve production", ["approve_job production"]),
        ("/reject deploy (us, west)", ["reject_job deploy (us, west)"]),
        ("/ReTest", ["rerun"]),
        ("   /retest\t", ["rerun"]),
        ("Looks good!\r\n\r\n/retest-failed\r\n/test lint\r\n", ["rerun_failed", "test lint"]),
        ("/cancel\r/retest", ["cancel", "rerun"]),
        ("/retest\n/cancel\n/retest", ["rerun", "cancel"]),
        ("> you can say /retest\n/cancel", ["cancel"]),
        ("```\n/retest\n```\n/cancel", ["cancel"]),
        ("``` a ` b ```\n/retest", ["rerun"]),
        ("<!-- a note -->\n/retest", ["rerun"]),
        ("<!--\n/cancel\n-->\n/retest", ["rerun"]),
    ],
)
def test_commands_stand_at_the_start_of_lines(text: str, expected: list[str]) -> None:
    assert asked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please /retest",
        "`/retest`",
        "- /retest",
        "> /retest",
        "    /retest",
        "\t/retest",
        "```\n/retest\n```",
        "```sh\n/retest\n~~~\n/cancel",
        "````\n```\n/retest\n```\n````",
        "~~~\n/retest\n~~~",
        "  ```\n/retest",
        "<!--\n/retest\n-->",
        "<!-- hidden\n/retest",
        "/retest please",
        "/retests",
        "/retest_failed",
        "//retest",
        "/ retest",
        "/test",
        "/test ",
        "/test a\x1b[31m",
        "/cancel all",
        "/ok-to-test",
        "/ok-to-test ec26c3e",
        f"/ok-to-test {SHA}0",
        f"/ok-to-test {SHA} {SHA}",
        "/approve",
        "/reject",
        "/approved production",
    ],
)
def test_what_only_looks_like_a_command_is_none(text: str) -> None:
    assert asked(text) == []


def test_a_comment_cannot_ask_for_ever_more() -> None:
    assert len(asked("\n".join(f"/test w{number}" for number in range(1000)))) == MOST_COMMANDS


@given(st.text(alphabet="/retscanlok-`~<!>- \r\n\t"))
def test_no_comment_is_too_strange_to_read(text: str) -> None:
    assert all(kind.partition(" ")[0] in ("rerun", "rerun_failed", "test", "cancel") for kind in asked(text))
