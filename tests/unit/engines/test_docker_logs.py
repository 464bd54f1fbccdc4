from __future__ import annotations

import itertools
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.engines.docker_connection import OpenStream
from windlass_runner.engines.docker_logs import Group, as_logged, attached_output, frames, place_of_end
from windlass_runner.engines.docker_transport import Pieces

ENTRY = 16 * 1024


def framed(payload: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=12))
def test_frames_come_out_whole_however_the_stream_is_cut(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(payload) for payload in payloads)
    borders = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(borders)]

    assert [payload for group in frames(pieces) for _, payload in group] == payloads


def test_a_frame_that_breaks_off_is_not_given() -> None:
    assert list(frames([framed(b"whole"), framed(b"broken off")[:-1]])) == [[(1, b"whole")]]


def stamp(number: int) -> bytes:
    return b"2026-11-21T04:01:%02d.%09dZ" % divmod(number, 10)


def test_a_short_log_is_read_again_from_its_begin() -> None:
    assert place_of_end(deque([stamp(1), stamp(2)]), 2) == ("0", 2)


def test_a_long_log_is_taken_up_again_at_a_known_entry() -> None:
    stamps = [stamp(number // 4) for number in range(600)]
    kept = deque(stamps, maxlen=512)
    since, seen = place_of_end(kept, len(stamps))
    mark = max(list(kept)[:256])

    assert since == f"{1795233660 + int(mark[17:19])}.{mark[20:29].decode()}"
    assert seen == sum(one >= mark for one in stamps)
    assert seen >= 256


def is_character(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


def as_go_writes(entry: bytes) -> bytes:
    """The engine's loop over an entry: a character, or one byte that is none."""
    text, place = b"", 0
    while place < len(entry):
        size = next((n for n in (1, 2, 3, 4) if is_character(entry[place : place + n])), 0)
        text += entry[place : place + size] if size else "\ufffd".encode()
        place += size or 1
    return text


PIECES_OF_TEXT = st.sampled_from(
    [b"a", b"\n", b"\xff", b"\xe2\x98", b"\xf0\x9f\x98", b"\xed\xa0\x80", "☃é😀".encode()]
)


@given(st.lists(PIECES_OF_TEXT, max_size=20).map(b"".join))
def test_what_is_no_text_reads_as_in_the_engines_log(lines: bytes) -> None:
    assert as_logged(lines) == as_go_writes(lines)


@pytest.mark.parametrize("begin", range(ENTRY - 4, ENTRY + 2))
@pytest.mark.parametrize("more", [0, 5, ENTRY])
def test_a_character_on_the_border_of_an_entry_falls_apart_as_in_the_engines_log(
    begin: int, more: int
) -> None:
    line = b"x" * begin + "😀".encode() + b"y" * more
    entries = [line[start : start + ENTRY] for start in range(0, len(line), ENTRY)]
    expected = b"".join(map(as_go_writes, entries))

    assert as_logged(b"short\n" + line + b"\n") == b"short\n" + expected + b"\n"


def heard(
    stream: bytes, cuts: list[int], log: list[Group], *, has_ended: bool = True
) -> tuple[list[bytes], list[str]]:
    """What comes of an attached stream cut into pieces, and what was asked for at its end."""
    borders = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = iter([stream[start:end] for start, end in itertools.pairwise(borders) if end > start])
    asked: list[str] = []

    def read_log() -> list[Group]:
        asked.append("log")
        return log

    def ask_for_the_end() -> bool:
        asked.append("end")
        return has_ended

    output = attached_output(
        OpenStream(Pieces(lambda: next(pieces, b""), lambda _: None)),
        has_ended=ask_for_the_end,
        log=lambda: iter(read_log()),
    )
    return list(output), asked


@given(
    st.lists(st.one_of(PIECES_OF_TEXT, st.just(b"z" * 9_000)), max_size=12),
    st.lists(st.integers(0, 90_000), max_size=9),
)
def test_an_attached_stream_is_the_log_however_it_is_cut(texts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(text) for text in texts)
    chunks, asked = heard(stream, cuts, [])

    assert b"".join(chunks) == as_logged(b"".join(texts))
    assert asked == ["end"]


def test_the_log_takes_over_where_a_second_stream_begins() -> None:
    stream = framed(b"one\ntw") + framed(b"oops\n", stream=2) + framed(b"o\n")
    log: list[Group] = [[(1, b"one\n"), (2, b"oops\n")], [(1, b"two\n")]]
    chunks, asked = heard(stream, [15], log)

    assert chunks == [b"one\n", b"oops\n", b"two\n"]
    assert asked == ["log"]


@pytest.mark.parametrize("seen", range(len(b"one\ntwo\nthree")))
def test_the_log_takes_over_where_the_stream_was_cut_and_the_container_goes_on(seen: int) -> None:
    text = b"one\ntwo\nthree"
    log: list[Group] = [[(1, b"one\n")], [(1, b"two\n")], [(1, b"three")]]
    chunks, asked = heard(framed(text[:seen]), [], log, has_ended=False)

    assert b"".join(chunks) == text
    assert asked == ["end", "log"]


def test_a_stream_is_ended_once() -> None:
    """What was read to its end has gone back to the idle connections, and may be in use again."""
    ends: list[bool] = []
    pieces = Pieces(iter([b"a", b""]).__next__, ends.append)

    assert list(pieces) == [b"a"]
    pieces.close()
    assert list(pieces) == []
    assert ends == [True]
