"""What a container writes, out of a Docker engine, whole, and in one form for whoever asks.

Who starts a container reads its output from a stream opened before the start: nothing can be missing
from it. Who comes later reads the log that the engine keeps, as JSON text and line by line: overlong
lines are cut into entries of 16 KiB, and of an entry, each byte that is not UTF-8 becomes U+FFFD. The
stream is brought into the same form, so that a place counted in bytes means the same in both.

Only the log tells which line of stdout comes before which line of stderr, once and for all. So a
container that writes both is followed there, from the moment when that is seen.

Following a log, the engine may end the stream before the last lines are in it (seen with 20.10: one
time in eight for a last line without newline). So when the container has ended, what lies behind
the last entry that came is read once more. Every entry carries its time, and that is how the place
is found again.
"""

from __future__ import annotations

import calendar
import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from windlass_runner.engines.docker_connection import DockerConnection, OpenStream

Group = list[tuple[int, bytes]]
"""What came at once: pieces of output, each with its source, 1 (stdout) or 2 (stderr)."""

_HEADER_BYTES = 8
_STAMP_BYTES = 30
"""`2026-11-21T04:01:18.388731796Z`, then a space."""
_REMEMBERED = 512
_ALL = {"stdout": 1, "stderr": 1, "timestamps": 1}
_ENTRY_BYTES = 16 * 1024
"""The longest entry (`defaultBufSize` of moby's daemon/logger/copier.go)."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""What Python's `surrogateescape` makes of a byte that is not part of a character."""


def open_output(connection: DockerConnection, path: str) -> OpenStream:
    """Attach to a container that has not been started yet. The engine holds back a container whose
    output nobody reads: read it, or close it."""
    return connection.stream("POST", f"{path}/attach", query={"stream": 1, "stdout": 1, "stderr": 1})


def attached_output(
    stream: OpenStream,
    *,
    has_ended: Callable[[], bool],
    log: Callable[[], Iterator[Group]],
) -> Iterator[bytes]:
    """Everything from the first byte. `log` is read instead from where both stdout and stderr have been
    written, and where the stream was cut: the container has not ended with it. Raises what `has_ended`
    raises where the engine has gone away."""
    given: dict[int, int] = {}
    held = b""
    with contextlib.closing(stream):
        for group in frames(stream):
            given = {source: 0 for source, _ in group} | given
            if len(given) > 1:
                break
            data = held + b"".join(payload for _, payload in group)
            end = end_of_entries(data)
            lines, held = as_logged(data[:end]), data[end:]
            if lines:
                given[group[0][0]] += len(lines)
                yield lines
    if len(given) > 1 or not has_ended():
        yield from logged_output(log(), given=given)
    elif held:
        yield as_logged(held)


def logged_output(groups: Iterable[Group], *, given: Mapping[int, int]) -> Iterator[bytes]:
    """The text of these entries, without the bytes of each source that were `given` already."""
    left = dict(given)
    for group in groups:
        texts = []
        for source, text in group:
            skipped = min(left.get(source, 0), len(text))
            left[source] = left.get(source, 0) - skipped
            texts.append(text[skipped:])
        if output := b"".join(texts):
            yield output


def follow_log(connection: DockerConnection, path: str, wait: Callable[[], object]) -> Iterator[Group]:
    """The entries of a log, from the first one; `wait` blocks until the container has ended."""
    stamps: deque[bytes] = deque(maxlen=_REMEMBERED)
    total = 0
    with contextlib.closing(connection.stream("GET", path, query={**_ALL, "follow": 1})) as stream:
        for group in frames(stream):
            total += len(group)
            stamps.extend(entry[:_STAMP_BYTES] for _, entry in group)
            yield [(source, entry[_STAMP_BYTES + 1 :]) for source, entry in group]
    wait()
    since, seen = place_of_end(stamps, total)
    with contextlib.closing(connection.stream("GET", path, query={**_ALL, "since": since})) as stream:
        for group in frames(stream):
            fresh = group[seen:]
            seen = max(0, seen - len(group))
            if fresh:
                yield [(source, entry[_STAMP_BYTES + 1 :]) for source, entry in fresh]


def frames(pieces: Iterable[bytes]) -> Iterator[Group]:
    """Docker's stream of frames, as they come in; pieces are cut anywhere. A frame: 1 (stdout) or 2
    (stderr), and the payload.

    Engine API, "Attach to a container": a header of 8 bytes, the first of them the stream, the last
    four the payload's length (big endian), then the payload. Of a log, a frame is one entry.
    """
    pending = b""
    for piece in pieces:
        pending += piece
        payloads: Group = []
        position = 0
        while len(pending) - position >= _HEADER_BYTES:
            start = position + _HEADER_BYTES
            end = start + int.from_bytes(pending[position + 4 : start], "big")
            if end > len(pending):
                break
            payloads.append((pending[position], pending[start:end]))
            position = end
        pending = pending[position:]
        if payloads:
            yield payloads


def end_of_entries(data: bytes) -> int:
    """How much of what one stream has written is in the log: whole lines, and 16 KiB of overlong ones."""
    rest = len(data) - (data.rfind(b"\n") + 1)
    return len(data) - rest % _ENTRY_BYTES


def as_logged(lines: bytes) -> bytes:
    """These lines as they come back out of the log."""
    if lines.isascii():
        return lines
    if len(lines) <= _ENTRY_BYTES:
        return _as_text(lines)
    return b"\n".join(
        b"".join(_as_text(line[start : start + _ENTRY_BYTES]) for start in range(0, len(line), _ENTRY_BYTES))
        for line in lines.split(b"\n")
    )


def _as_text(entry: bytes) -> bytes:
    """Go's way: one U+FFFD for each byte that is not part of a character."""
    text = entry.decode(errors="surrogateescape")
    return _NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", text).encode()


def place_of_end(stamps: deque[bytes], total: int) -> tuple[str, int]:
    """From when to ask again (the API's `since`), and how many entries from then on have been seen.

    `stamps` are the times of the last of `total` entries. Two streams write at once, so times may
    be a little out of order: we go back over a good part of what is remembered. A short log is
    simply read again.
    """
    if total <= _REMEMBERED:
        return "0", total
    mark = max(list(stamps)[: _REMEMBERED // 2])
    return _unix_time(mark.decode()), sum(stamp >= mark for stamp in stamps)


def _unix_time(stamp: str) -> str:
    seconds = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{stamp[20:29]}"
