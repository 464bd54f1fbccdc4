"""The file that holds the log of one attempt: JSON lines, appended, readable while they are written.

``{"o": bytes of the raw stream up to here, "t": seconds, "s": step, "x": text}``, with ``"k"`` where
the line is not plain output (group, endgroup, error, warning, notice, debug, system, cut) and ``"r"``
where the attempt has more than one raw stream. A line counts when its end is there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Final, get_args

from windlass_runner.engines.base import HostFull
from windlass_runner.run.protocol import LineKind

SIZE_LIMIT: Final = 64 * 1024 * 1024
_BATCH: Final = 64 * 1024
_KINDS: Final[dict[str, LineKind]] = {kind: kind for kind in get_args(LineKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line as it stands in the log. `offset` counts bytes of the raw stream `stream`."""

    offset: int
    time: float
    step: str
    text: str
    kind: LineKind = ""
    stream: str = ""


class LogWriter:
    """Appends to one log. One writer for a file at a time; used under its `JobLog`'s lock.

    Opening a file that a crash left takes off a torn last line and knows how far each stream is.
    Nothing is synced to the disk: what the operating system has survives us, and the engine still
    has the rest.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], size_limit: int = SIZE_LIMIT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._clock = clock
        self._limit = size_limit
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size
        self._offsets: dict[str, int] = {}
        self._is_cut = False
        if self._size:
            self._recover()

    def offset(self, stream: str) -> int:
        """How many bytes of that raw stream have become lines of the file."""
        return self._offsets.get(stream, 0)

    def write(self, entries: Sequence[tuple[str, int | None, str, LineKind, str]]) -> None:
        """Append lines: (stream, offset or None for lines of our own, step, kind, text).

        Over the size limit one line says so, and the rest is dropped.

        Raises:
            HostFull: no space left. None of the entries' torn parts stay behind.
        """
        stamp = f',"t":{self._clock():.3f},"s":'
        batch: list[str] = []
        held = 0
        for stream, offset, step, kind, text in entries:
            if offset is None:
                offset = self._offsets.get(stream, 0)
            if self._is_cut:
                continue
            extra = f',"k":"{kind}"' if kind else ""
            if stream:
                extra += f',"r":{encode_basestring(stream)}'
            line = f'{{"o":{offset}{stamp}{encode_basestring(step)}{extra},"x":{encode_basestring(text)}}}\n'
            batch.append(line)
            held += len(line)
            self._offsets[stream] = offset
            if held >= _BATCH:
                self._append(batch)
                batch, held = [], 0
                self._cut_if_full(stamp, offset)
        if batch:
            self._append(batch)
            self._cut_if_full(stamp, self._offsets.get(entries[-1][0], 0))

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut_if_full(self, stamp: str, offset: int) -> None:
        if self._size < self._limit or self._is_cut:
            return
        self._is_cut = True
        text = f"the log is larger than {self._limit // 1024 // 1024} MiB; the rest was dropped"
        self._append([f'{{"o":{offset}{stamp}"","k":"cut","x":{encode_basestring(text)}}}\n'])

    def _append(self, batch: list[str]) -> None:
        data = memoryview("".join(batch).encode("utf-8", "replace"))
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                remedy = "free some space where the storage lies"
                raise HostFull(f"no space left for the log {self._path}", remedy=remedy) from error
            raise
        self._size += done

    def _recover(self) -> None:
        good = 0
        with self._path.open("rb") as file:
            for raw in file:
                line = _parsed(raw) if raw.endswith(b"\n") else None
                if line is None:
                    break
                good += len(raw)
                if line.kind == "cut":
                    self._is_cut = True
                else:
                    self._offsets[line.stream] = max(line.offset, self._offsets.get(line.stream, 0))
        if good < self._size:
            os.ftruncate(self._descriptor, good)
            self._size = good


def read_log(path: Path, cursor: int = 0, *, limit_bytes: int = 1024 * 1024) -> tuple[list[LogLine], int]:
    """Lines from `cursor` (0: the beginning) and the cursor behind them.

    Nothing new, or no file yet: an empty list and the same cursor. At most about `limit_bytes` at
    a time: call again until nothing comes.
    """
    try:
        with path.open("rb") as file:
            file.seek(cursor)
            data = file.read(limit_bytes)
            if len(data) == limit_bytes and not data.endswith(b"\n"):
                data += file.readline()
    except FileNotFoundError:
        return [], cursor
    end = data.rfind(b"\n") + 1
    lines = (_parsed(raw) for raw in data[:end].split(b"\n") if raw)
    return [line for line in lines if line is not None], cursor + end


def read_log_end(path: Path, *, limit_bytes: int = 128 * 1024) -> list[LogLine]:
    """The last lines, at most about `limit_bytes` of the file; none where there is no file."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return []
    lines, _ = read_log(path, max(0, size - limit_bytes), limit_bytes=limit_bytes)
    return lines


def _parsed(raw: bytes) -> LogLine | None:
    try:
        found = json.loads(raw)
        return LogLine(
            offset=int(found["o"]),
            time=float(found["t"]),
            step=str(found["s"]),
            text=str(found["x"]),
            kind=_KINDS.get(found.get("k", ""), ""),
            stream=str(found.get("r", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
