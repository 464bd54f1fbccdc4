"""The log of one attempt of a job: raw output in, masked lines in a file out, each exactly once.

The way of a chunk: bytes, cut into lines, obeyed (`protocol`), masked (`masking`), written. An
engine gives a container's output from its first byte whenever it is asked. So after a crash the
whole stream is fed again: state (masks, groups, annotations) is built anew, and only what the file
does not have is written. For that, what becomes of a byte never depends on how chunks are cut.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Final

from windlass_runner.engines.base import HostFull
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.masking import Masker
from windlass_runner.run.protocol import Annotation, Command, LineKind, LineProtocol, LineResult

LINE_LIMIT: Final = 64 * 1024
"""Longer lines are cut into pieces of about this size …"""
COMMAND_LIMIT: Final = 1024 * 1024
"""… but those that look like a command only here."""


class JobLog:
    """Everything one attempt says, from its containers and from us. Safe to use from several threads.

    Collects on the way: `annotations` (kept ones, in order), `outputs` and `state` by step.
    """

    def __init__(
        self,
        writer: LogWriter,
        *,
        secrets: Iterable[str] = (),
        private: frozenset[str] = frozenset(),
        on_private: Callable[[LogStream, Command], None] | None = None,
    ) -> None:
        self._writer = writer
        self._masker = Masker(secrets)
        self._private = private
        self._on_private = on_private
        self._lock = threading.RLock()
        self.annotations: list[Annotation] = []
        self.outputs: dict[str, dict[str, str]] = {}
        self.state: dict[str, dict[str, str]] = {}
        self.failed_steps: set[str] = set()
        """Steps with a command that was refused."""

    def stream(self, name: str = "", *, step: str = "") -> LogStream:
        """The output of one container. `name` tells the streams of an attempt apart, also after a crash."""
        protocol = LineProtocol(private=self._private)
        return LogStream(self, name, step=step, protocol=protocol, written=self._writer.offset(name))

    def system(self, text: str, *, step: str = "", kind: LineKind = "system") -> None:
        """Lines of Windlass's own, masked too. On a full disk they are lost: the job's end says it."""
        with self._lock, contextlib.suppress(HostFull):
            masked = self.masked(text)
            self._writer.write([("", None, step, kind, line) for line in masked.splitlines() or [""]])

    def remark(self, text: str) -> None:
        """A warning of Windlass's own that stands with the job's remarks too."""
        self.system(text, kind="warning")
        self.annotations.append(Annotation(level="warning", message=self.masked(text)))

    def add_mask(self, value: str) -> None:
        """Mask this value in everything from here on."""
        with self._lock:
            self._masker.add(value)

    def masked(self, text: str) -> str:
        """The text with every secret known so far covered."""
        with self._lock:
            data = text.encode("utf-8", "replace")
            masked = self._masker.mask(data)
            return text if masked is data else masked.decode("utf-8", "replace")

    def close(self) -> None:
        """Close the file. Streams must have been finished."""
        self._writer.close()


class LogStream:
    """The output of one container, fed from its first byte by one thread. Made by `JobLog.stream`."""

    def __init__(self, log: JobLog, name: str, *, step: str, protocol: LineProtocol, written: int) -> None:
        self._log = log
        self._name = name
        self._protocol = protocol
        self._written = written
        self._offset = 0
        self._buffer = b""
        self._is_continuing = False
        self.step = step
        """The step that the following lines belong to."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes. What makes whole lines is in the file when this returns.

        Raises:
            HostFull: the line cannot be written; the stream may still be fed (and drained).
        """
        with self._log._lock:
            data = self._buffer + chunk if self._buffer else chunk
            end = data.rfind(b"\n") + 1
            self._buffer = data[end:]
            entries = self._block(data[:end]) if end else []
            while len(self._buffer) > self._limit() + self._log._masker.longest:
                entries += self._cut()
            self._write(entries)

    def finish(self) -> None:
        """The stream has ended; a last line without an end counts as one."""
        with self._log._lock:
            if self._buffer:
                rest, self._buffer = self._buffer, b""
                self._write(self._lines(rest, is_whole=False))

    def _write(self, entries: list[_Entry]) -> None:
        if entries and entries[-1][0] > self._written:
            new = [entry for entry in entries if entry[0] > self._written]
            self._log._writer.write([(self._name, *entry) for entry in new])

    def _block(self, block: bytes) -> list[_Entry]:
        """Whole lines. Most blocks hold no command and no overlong line, and go through in one go."""
        if b"::" in block or b"##[" in block or self._is_continuing or len(block) > LINE_LIMIT:
            entries: list[_Entry] = []
            start = 0
            while start < len(block):
                end = block.index(b"\n", start) + 1
                entries += self._lines(block[start:end], is_whole=True)
                start = end
            return entries
        return self._plain(block)

    def _plain(self, block: bytes) -> list[_Entry]:
        masked = self._log._masker.mask(block)
        texts = masked.decode("utf-8", "replace").split("\n")
        step, offset = self.step, self._offset
        entries: list[_Entry] = []
        for raw, text in zip(block.split(b"\n"), texts, strict=True):
            offset += len(raw) + 1
            entries.append((offset, step, "", _last_state(text) if "\r" in text else text))
        entries.pop()  # what stands behind the last line end: nothing
        self._offset += len(block)
        return entries

    def _lines(self, raw: bytes, *, is_whole: bool) -> list[_Entry]:
        """One line, cut where it is overlong."""
        entries: list[_Entry] = []
        self._buffer, after = raw, self._buffer
        while len(self._buffer) - is_whole > self._limit():
            entries += self._cut()
        rest, self._buffer = self._buffer, after
        body = rest[:-1] if is_whole else rest
        entries += self._piece(body, len(rest))
        self._is_continuing = False
        return entries

    def _limit(self) -> int:
        is_command = not self._is_continuing and self._buffer.lstrip()[:2] in (b"::", b"##")
        return COMMAND_LIMIT if is_command else LINE_LIMIT

    def _cut(self) -> list[_Entry]:
        """Take one piece off an overlong line, never through a secret or a character."""
        at = self._limit()
        for start, end in self._log._masker.covered(self._buffer):
            if start < at < end:
                at = start or end
            if start >= at:
                break
        while at > 1 and self._buffer[at : at + 1] and self._buffer[at] & 0xC0 == 0x80:
            at -= 1
        piece, self._buffer = self._buffer[:at], self._buffer[at:]
        entries = self._piece(piece, len(piece))
        self._is_continuing = True
        return entries

    def _piece(self, raw: bytes, length: int) -> list[_Entry]:
        self._offset += length
        text = raw.decode("utf-8", "replace")
        if "\r" in text:
            text = _last_state(text)
        if self._is_continuing:
            return [(self._offset, self.step, "", self._log.masked(text))]
        result = self._protocol.feed(text)
        self._take(result)
        if result.text is None:
            return []
        return [(self._offset, self.step, result.kind, self._log.masked(result.text))]

    def _take(self, result: LineResult) -> None:
        log = self._log
        for value in result.masks:
            log.add_mask(value)
        if result.annotation is not None:
            log.annotations.append(_masked(result.annotation, log))
        if result.outputs:
            log.outputs.setdefault(self.step, {}).update(result.outputs)
        if result.state:
            log.state.setdefault(self.step, {}).update(result.state)
        if result.has_failed:
            log.failed_steps.add(self.step)
        if result.private is not None and log._on_private is not None:
            log._on_private(self, result.private)


_Entry = tuple[int, str, LineKind, str]
"""Offset behind it, step, kind, text."""


def _last_state(text: str) -> str:
    """What a terminal would show last of a line that was drawn over (a progress bar)."""
    text = text.rstrip("\r")
    return text[text.rfind("\r") + 1 :]


def _masked(annotation: Annotation, log: JobLog) -> Annotation:
    return Annotation(
        level=annotation.level,
        message=log.masked(annotation.message),
        title=log.masked(annotation.title) if annotation.title else None,
        file=log.masked(annotation.file) if annotation.file else None,
        line=annotation.line,
        end_line=annotation.end_line,
        column=annotation.column,
        end_column=annotation.end_column,
    )
