from __future__ import annotations

import io
import json
import logging

import pytest

from windlass_runner.daemon.journal import Journal, start_journal, stop_journal


def _written(*, has_terminal: bool) -> str:
    stream = io.StringIO()
    handler = start_journal(stream, has_terminal=has_terminal)
    try:
        Journal("test").warning("push.late", ref="refs/heads/a b", count=3, reason="two\nlines")
    finally:
        stop_journal(handler)
    return stream.getvalue()


def test_programs_get_one_json_object_a_line() -> None:
    (line,) = _written(has_terminal=False).splitlines()
    entry = json.loads(line)
    assert {key: entry[key] for key in ("level", "event", "ref", "count")} == {
        "level": "warning",
        "event": "push.late",
        "ref": "refs/heads/a b",
        "count": 3,
    }


def test_people_get_keys_and_values_on_one_line() -> None:
    (line,) = _written(has_terminal=True).splitlines()
    assert line.endswith('push.late ref="refs/heads/a b" count=3 reason="two\\nlines"')


def test_a_field_is_never_a_whole_payload() -> None:
    stream = io.StringIO()
    handler = start_journal(stream, has_terminal=False)
    Journal("test").info("x", body="y" * 100_000)
    stop_journal(handler)
    assert len(stream.getvalue()) < 3_000


@pytest.mark.parametrize("has_terminal", [True, False])
def test_nothing_that_strangers_send_steers_a_terminal(has_terminal: bool) -> None:
    stream = io.StringIO()
    handler = start_journal(stream, has_terminal=has_terminal)
    try:
        Journal("test").warning("x", name="\x1b[2Ja\x9b31m\u2028\ud800\U000e0001")
        logging.getLogger("uvicorn.error").error("broken \x1b[2J")
    finally:
        stop_journal(handler)
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert all(map(str.isprintable, lines))
