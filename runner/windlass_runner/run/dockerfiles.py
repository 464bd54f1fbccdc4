"""Which images a Dockerfile is made from: what may not be pulled may not come in by a build either.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from windlass_registry.lock import Lock
from windlass_registry.manifest import DockerRuns
from windlass_registry.manifest_runs import is_dockerfile

_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM: Final = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_CONTINUED: Final = re.compile(r"[\\`][ \t]*\n")


def bases_of(lock: Lock) -> dict[str, tuple[str, ...]]:
    """What the images of actions with a Dockerfile are made from, by `uses`."""
    found = {}
    for uses, action in lock.actions.items():
        runs = action.manifest.runs
        if isinstance(runs, DockerRuns) and is_dockerfile(runs.image):
            found[uses] = bases_in(action.folder / runs.image)
    return found


def bases_in(dockerfile: Path) -> tuple[str, ...]:
    """As `base_images`; none where the file cannot be read, which its build will say."""
    try:
        return base_images(dockerfile.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ()


def with_bases(text: str, bases: Mapping[str, str]) -> str:
    """The Dockerfile made from these images in place of those that it names, each in one line.

    Raises:
        ValueError: it names one of them in another way; says which.
    """
    stages: set[str] = set()
    lines = [_with_base(line, bases, stages) for line in text.splitlines(keepends=True)]
    changed = "".join(lines)
    left = [name for name in base_images(changed) if name in bases]
    if left:
        raise ValueError(left[0])
    return changed


def _with_base(line: str, bases: Mapping[str, str], stages: set[str]) -> str:
    start = len(line) - len(line.lstrip())
    named = _FROM.match(line, start)
    found = named or _COPY_FROM.match(line, start)
    if found is None:
        return line
    is_stage = found[1].lower() in stages
    if named is not None and named[2]:
        stages.add(named[2].lower())
    if is_stage or found[1] not in bases:
        return line
    return line[: found.start(1)] + bases[found[1]] + line[found.end(1) :]


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
