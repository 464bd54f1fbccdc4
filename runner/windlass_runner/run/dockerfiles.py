"""Which images a Dockerfile is made from: what may not be pulled may not come in by a build either.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM: Final = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_CONTINUED: Final = re.compile(r"[\\`][ \t]*\n")


def base_images(text: str) -> tuple[str, ...]:
    """The images that are pulled for a build, each once, as written: one may hold a variable (`$TAG`)."""
    return tuple(dict.fromkeys(_images(text)))


def _images(text: str) -> Iterator[str]:
    stages: list[str] = []
    for line in _instructions(text):
        if found := _FROM.match(line):
            if found[1].lower() not in (*stages, "scratch"):
                yield found[1]
            stages.append((found[2] or "").lower())
        elif (found := _COPY_FROM.match(line)) and not found[1].isdigit() and found[1].lower() not in stages:
            yield found[1]


def _instructions(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    yield from (line.strip() for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines())
