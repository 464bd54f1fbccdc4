import errno
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_runner.engines.base import HostFull
from windlass_runner.run.log_file import LogLine, LogWriter, read_log, read_log_end
from windlass_runner.run.logs import LINE_LIMIT, JobLog, LogStream
from windlass_runner.run.protocol import Command

SECRET = "s3cr3t-pass"


def open_log(path: Path, **options: int) -> JobLog:
    return JobLog(LogWriter(path, clock=lambda: 12.5, **options), secrets=[SECRET])


def write(path: Path, *chunks: bytes, name: str = "") -> JobLog:
    log = open_log(path)
    stream = log.stream(name, step="s")
    for chunk in chunks:
        stream.feed(chunk)
    stream.finish()
    log.close()
    return log


def read(path: Path) -> list[LogLine]:
    return read_log(path, limit_bytes=1 << 30)[0]


def texts(path: Path) -> list[str]:
    return [line.text for line in read(path)]


def test_lines_are_written_with_their_place_time_and_step(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    write(path, b"one\ntw", b"o\n")
    assert read(path) == [
        LogLine(offset=4, time=12.5, step="s", text="one"),
        LogLine(offset=8, time=12.5, step="s", text="two"),
    ]


def test_a_line_is_readable_as_soon_as_it_was_fed(tmp_path: Path) -> None:
    stream = open_log(tmp_path / "log").stream()
    stream.feed(b"first\nsecond")
    assert texts(tmp_path / "log") == ["first"]


def test_a_reader_goes_on_from_its_cursor(tmp_path: Path) -> None:
    stream = open_log(tmp_path / "log").stream()
    stream.feed(b"a\n")
    _, cursor = read_log(tmp_path / "log")
    assert read_log(tmp_path / "log", cursor) == ([], cursor)
    stream.feed(b"b\n")
    assert [line.text for line in read_log(tmp_path / "log", cursor)[0]] == ["b"]


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == ([], 0)


def test_a_long_log_is_read_in_parts(tmp_path: Path) -> None:
    write(tmp_path / "log", b"".join(b"line %d\n" % n for n in range(500)))
    found, cursor = [], 0
    while (step := read_log(tmp_path / "log", cursor, limit_bytes=100))[0]:
        found += step[0]
        cursor = step[1]
    assert [line.text for line in found] == [f"line {n}" for n in range(500)]


def test_secrets_are_masked_across_chunks_and_in_annotations(tmp_path: Path) -> None:
    log = write(tmp_path / "log", b"x s3cr", b"3t-pass y\n::error title=s3cr3t-pass::no s3cr3t-pass\n")
    assert texts(tmp_path / "log") == ["x *** y", "no ***"]
    assert (log.annotations[0].message, log.annotations[0].title) == ("no ***", "***")


def test_a_mask_holds_from_the_very_next_line_of_the_same_chunk(tmp_path: Path) -> None:
    write(tmp_path / "log", b"::add-mask::token-77\nhere token-77\n")
    assert texts(tmp_path / "log") == ["here ***"]


def test_a_mask_is_taken_whole_though_a_part_of_it_was_masked_already(tmp_path: Path) -> None:
    write(tmp_path / "log", b"::add-mask::user:s3cr3t-pass\nuser:s3cr3t-pass\n")
    assert texts(tmp_path / "log") == ["***"]


def test_outputs_set_by_command_keep_their_real_value(tmp_path: Path) -> None:
    log = write(tmp_path / "log", b"::set-output name=key::s3cr3t-pass\n")
    assert log.outputs == {"s": {"key": SECRET}}


def test_a_progress_bar_leaves_its_last_state(tmp_path: Path) -> None:
    write(tmp_path / "log", b"10%\r20%\r100%\r\ndone\r\n")
    assert texts(tmp_path / "log") == ["100%", "done"]


def test_what_is_not_utf_8_is_shown_as_far_as_it_can_be(tmp_path: Path) -> None:
    write(tmp_path / "log", b"\xff\xe2\n\x00\xc3\xa9\n")
    assert texts(tmp_path / "log") == ["\ufffd\ufffd", "\x00é"]


def test_a_very_long_line_is_cut_but_never_through_a_secret_or_a_character(tmp_path: Path) -> None:
    filler = b"x" * (LINE_LIMIT - 5)
    write(tmp_path / "log", filler, SECRET.encode() + filler[:-7] + "é".encode() * 40, b"\nend\n")
    found = texts(tmp_path / "log")
    assert "".join(found) == (filler + b"***" + filler[:-7]).decode() + "é" * 40 + "end"
    assert max(map(len, found)) <= LINE_LIMIT


def test_a_command_is_not_cut_at_the_length_of_a_line(tmp_path: Path) -> None:
    value = b"v" * (3 * LINE_LIMIT)
    log = write(tmp_path / "log", b"::set-output name=a::", value[:100_000], value[100_000:], b"\n")
    assert log.outputs["s"]["a"] == value.decode()


def test_system_lines_are_masked_and_marked(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    log.system(f"pulling with {SECRET}\nsecond")
    assert [(line.kind, line.text) for line in read(tmp_path / "log")] == [
        ("system", "pulling with ***"),
        ("system", "second"),
    ]


def test_private_commands_change_the_step_and_are_not_shown(tmp_path: Path) -> None:
    def enter(stream: LogStream, command: Command) -> None:
        stream.step = command.properties["id"]

    log = JobLog(
        LogWriter(tmp_path / "log", clock=lambda: 0.0), private=frozenset({"step-x"}), on_private=enter
    )
    log.stream().feed(b"::step-x id=a::\none\n::step-x id=b::\ntwo\n")
    assert [(line.step, line.text) for line in read(tmp_path / "log")] == [("a", "one"), ("b", "two")]


STREAM = b"".join(
    [
        b"plain\n::group::G\n::add-mask::zebra-crossing\nzebra-crossing\n10%\r20%\n::endgroup::\n",
        b"::warning file=a::w\n"
        + b"y" * (LINE_LIMIT + 70)
        + b" zebra-crossing\n\n::stop-commands::tok-en-1\n",
        b"::error::x\n::tok-en-1::\nlast s3cr3t-pass\n\xff\nno end",
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, len(STREAM)), max_size=8),
    st.lists(st.integers(0, len(STREAM)), max_size=8),
    st.integers(0, 10**6),
)
def test_a_replayed_stream_is_written_exactly_once_wherever_the_crash_was(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int], torn_at: int
) -> None:
    folder = tmp_path_factory.mktemp("replay")

    def chunks(places: list[int]) -> list[bytes]:
        edges = sorted({0, len(STREAM), *places})
        return [STREAM[a:b] for a, b in itertools.pairwise(edges)]

    write(folder / "whole", STREAM)
    write(folder / "log", *chunks(first))
    assert (folder / "log").read_bytes() == (folder / "whole").read_bytes()
    with (folder / "log").open("r+b") as file:
        file.truncate(torn_at % len((folder / "whole").read_bytes()))
    log = write(folder / "log", *chunks(second))
    assert (folder / "log").read_bytes() == (folder / "whole").read_bytes()
    assert len(log.annotations) == 1


def test_streams_of_one_attempt_are_told_apart_after_a_crash(tmp_path: Path) -> None:
    write(tmp_path / "log", b"first a\nfirst b\n", name="1")
    write(tmp_path / "log", b"second a\n", name="2")
    write(tmp_path / "log", b"first a\nfirst b\n", name="1")
    write(tmp_path / "log", b"second a\nsecond b\n", name="2")
    assert texts(tmp_path / "log") == ["first a", "first b", "second a", "second b"]


def test_beyond_the_size_limit_one_line_says_so_also_after_reopening(tmp_path: Path) -> None:
    for _ in range(2):
        log = open_log(tmp_path / "log", size_limit=200_000)
        stream = log.stream()
        for number in range(20_000):
            stream.feed(b"a line of some length, number %d\n" % number)
        log.close()
    found = read(tmp_path / "log")
    assert [line.kind for line in found].count("cut") == 1
    assert found[-1].kind == "cut"
    assert (tmp_path / "log").stat().st_size < 300_000


def test_a_full_disk_is_an_operators_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path / "log")
    stream = log.stream()
    stream.feed(b"before\n")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("windlass_runner.run.log_file.os.write", full)
        with pytest.raises(HostFull):
            stream.feed(b"lost\n")
    stream.feed(b"after\n")
    assert texts(tmp_path / "log") == ["before", "after"]


def test_the_end_of_a_long_log_is_read_in_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_log_end(path) == []
    writer = LogWriter(path, clock=lambda: 1.0)
    writer.write([("", number, "", "", f"line {number} é") for number in range(1000)])
    writer.close()
    texts = [line.text for line in read_log_end(path, limit_bytes=500)]
    assert texts == [f"line {number} é" for number in range(1000 - len(texts), 1000)]
    assert 5 < len(texts) < 15
    assert len(read_log_end(path)) == 1000
