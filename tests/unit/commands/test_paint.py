"""How times, sizes and strangers' texts are shown."""

from __future__ import annotations

import pytest

from windlass_runner.commands.paint import Paint, clip, duration, size, tame


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "0.0s"),
        (0.44, "0.4s"),
        (12.4, "12s"),
        (59.7, "1m00s"),
        (185, "3m05s"),
        (7500, "2h05m"),
    ],
)
def test_a_time_span_reads_as_people_say_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_have_units() -> None:
    assert [size(0), size(1023), size(2048), size(5 * 1024**3)] == ["0 B", "1023 B", "2.0 KB", "5.0 GB"]


def test_a_clipped_text_ends_in_an_ellipsis() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("abc", 4) == "abc"


def test_without_colours_nothing_is_painted() -> None:
    assert Paint(False)("x", "red") == "x"
    assert Paint(True)("x", "red") == "\x1b[31mx\x1b[0m"


def test_a_strangers_text_cannot_steer_the_terminal() -> None:
    assert tame("a\x1b[2Jb\x1b]0;title\x07c\rd") == "abc�d"


def test_colours_of_a_log_may_stay_and_are_ended() -> None:
    assert tame("\x1b[31mred\x1b[2J", keep_colours=True) == "\x1b[31mred\x1b[0m"
    assert tame("\x1b[31mred") == "red"
