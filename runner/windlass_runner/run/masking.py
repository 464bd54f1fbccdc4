"""Secrets out of a stream of bytes, wherever the stream happens to be cut. Called by `run.logs`.

What is masked of a secret: its value, each of its lines, and the forms that it takes when it is
encoded on the way (base64 at the three alignments, URL, JSON, shell, Python, XML). Every byte that
belongs to any of them is covered; what touches or overlaps becomes one ``***``.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape

MASK: Final = b"***"
_LEAST_VALUE: Final = 3
_LEAST_FORM: Final = 4
_LINE_END: Final = re.compile(rb"[\r\n]+")
_WRAPS: Final = (64, 76)
"""Line lengths at which `base64` (76) and PEM (64) wrap."""


class Masker:
    """Replaces secrets by ``***``. One stream, one thread; `mask` alone may serve many streams.

    Values of one or two characters are not masked (they would cover half of any log), nor are
    lines and encoded forms of fewer than four bytes. Nothing that is masked holds a line end.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._needles: list[bytes] = []
        self._pattern: re.Pattern[bytes] | None = None
        self._longest = 0
        self._held = b""
        self._add_all(secrets)

    def add(self, value: str) -> None:
        """Mask this value too, from here on."""
        self._add_all((value,))

    def _add_all(self, values: Iterable[str]) -> None:
        known = set(self._needles)
        found = {needle for value in values for needle in needles(value)} - known
        if not found:
            return
        self._needles = sorted(known | found)
        self._longest = max(map(len, self._needles))
        self._pattern = None

    @property
    def longest(self) -> int:
        """Length of the longest thing that is masked."""
        return self._longest

    def mask(self, data: bytes) -> bytes:
        """The data, complete in itself, with every secret covered. Given back itself if there is none."""
        pattern = self._compiled()
        if pattern is None or pattern.search(data) is None:
            return data
        parts: list[bytes] = []
        position = 0
        for start, end in self.covered(data):
            parts += (data[position:start], MASK)
            position = end
        return b"".join((*parts, data[position:]))

    def covered(self, data: bytes) -> Iterator[tuple[int, int]]:
        """The stretches of the data that belong to secrets, in order, apart from each other."""
        pattern = self._compiled()
        match = pattern.search(data) if pattern else None
        while pattern is not None and match is not None:
            start, end = match.span()
            following = pattern.search(data, start + 1)
            while following is not None and following.start() <= end:
                end = max(end, following.end())
                following = pattern.search(data, following.start() + 1)
            yield start, end
            match = following

    def _compiled(self) -> re.Pattern[bytes] | None:
        """The pattern, made when it is first needed: a job may mask hundreds of values in a row."""
        if self._pattern is None and self._needles:
            self._pattern = re.compile(_alternation(self._needles))
        return self._pattern

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of a stream; what may be the beginning of a secret is held back."""
        data = self._held + chunk
        safe = self._safe_length(data)
        self._held = data[safe:]
        return self.mask(data[:safe])

    def flush(self) -> bytes:
        """What was held back; the stream has ended."""
        rest, self._held = self._held, b""
        return self.mask(rest)

    def _safe_length(self, data: bytes) -> int:
        """How much of the data can be masked now and will not read otherwise with more behind it."""
        safe = len(data) - self._unsettled(data)
        for start, end in self.covered(data):
            if start < safe <= end:  # equal: what comes next may touch it and become one with it
                return start
            if start >= safe:
                break
        return safe

    def _unsettled(self, data: bytes) -> int:
        """Length of the longest end of the data that is a beginning of a secret."""
        line_start = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        longest = min(self._longest - 1, len(data) - line_start)
        for length in range(longest, 0, -1):
            tail = data[len(data) - length :]
            place = bisect_left(self._needles, tail)
            if place < len(self._needles) and self._needles[place].startswith(tail):
                return length
        return 0


def _alternation(found: Iterable[bytes]) -> bytes:
    """One expression for all, by their first two bytes: tried one after the other they are too slow."""
    groups: dict[bytes, dict[bytes, list[bytes]]] = {}
    # The longest first: an alternation takes its first branch that fits.
    for needle in sorted(found, key=len, reverse=True):
        groups.setdefault(needle[:1], {}).setdefault(needle[1:2], []).append(re.escape(needle[2:]))
    return b"|".join(
        re.escape(first)
        + b"(?:"
        + b"|".join(re.escape(second) + b"(?:" + b"|".join(rest) + b")" for second, rest in seconds.items())
        + b")"
        for first, seconds in groups.items()
    )


def needles(value: str) -> frozenset[bytes]:
    """Every byte string that gives this secret away."""
    raw = value.encode("utf-8", "surrogateescape")
    found = {line for line in _lines(raw) if len(line) >= _LEAST_FORM}
    if len(raw.strip()) >= _LEAST_VALUE and len(_lines(raw)) == 1:
        found.add(raw.strip())
    if len(raw.strip()) >= _LEAST_FORM:
        trimmed = value.strip()
        for form in (*_escaped(trimmed), *_base64(trimmed.encode("utf-8", "surrogateescape")), *_base64(raw)):
            found.update(line for line in _lines(form) if len(line) >= _LEAST_FORM)
    return frozenset(found)


def _lines(raw: bytes) -> list[bytes]:
    return [line.strip() for line in _LINE_END.split(raw) if line.strip()]


def _escaped(value: str) -> Iterator[bytes]:
    as_json = json.dumps(value)[1:-1]
    texts = (
        quote(value, safe="", errors="surrogateescape"),
        quote_plus(value, errors="surrogateescape"),
        quote(value, errors="surrogateescape"),
        as_json,
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(as_json)[1:-1],
        as_json.replace("/", "\\/"),
        repr(value)[1:-1],
        xml_escape(value),
        xml_escape(value, {'"': "&quot;", "'": "&#39;"}),
        shlex.quote(value).strip("'"),
        value.replace("'", "'\\''"),
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", value),  # as bash's printf %q
        value.strip("\"'"),
    )
    for text in texts:
        yield text.encode("utf-8", "surrogateescape")
    yield re.sub(rb"%[0-9A-F]{2}", lambda m: m.group().lower(), texts[0].encode("utf-8", "surrogateescape"))


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that the secret alone decides, with 0, 1 or 2 other bytes before it."""
    for shift, skip in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + raw)[: (shift + len(raw)) * 8 // 6][skip:]
        yield encoded
        yield encoded.translate(_URL_SAFE)
        if shift == 0:
            for width in _WRAPS:
                yield from (encoded[at : at + width] for at in range(0, len(encoded), width))


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
