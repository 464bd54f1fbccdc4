"""What the examples of a package took, measured by its publisher and signed with the release. Pure.

Whole numbers alone: what is signed has no fractions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

LARGEST: Final = 1 << 53
"""What every reader of JSON keeps exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The examples of one release on the machine of its publisher: what to expect, and no promise."""

    examples: int
    """How many were run."""
    milliseconds: int
    """The longest of them, from the start of its job to the end."""
    peak_memory_bytes: int | None = None
    """The most that one of them used at once; None where the engine cannot tell."""
    image_bytes: int | None = None
    """The largest image of them; None where they ran in none."""


def measured_to_json(measured: Measured) -> dict[str, int | None]:
    """As it is signed, and as the API tells it."""
    return asdict(measured)


def read_measured(found: object) -> Measured:
    """Read it strictly. Raises ValueError, which says what is wrong."""
    names = {field.name for field in fields(Measured)}
    if not isinstance(found, Mapping) or set(found) != names:
        raise ValueError(f"it does not have exactly {', '.join(sorted(names))}")
    for name, value in found.items():
        is_optional = name in ("peak_memory_bytes", "image_bytes")
        if not (value is None and is_optional) and (type(value) is not int or not 0 <= value <= LARGEST):
            raise ValueError(f"'{name}' is no whole number")
    return Measured(**found)


def measured_file(measured: Measured, *, digest: str) -> bytes:
    """What `windlass action test --measure` leaves for `windlass publish`. `digest` is the package's."""
    return (json.dumps({"digest": digest, "measured": measured_to_json(measured)}, indent=2) + "\n").encode()


def read_measured_file(content: bytes) -> tuple[str, Measured]:
    """The package's digest, and what was measured of it. Raises ValueError."""
    value: Any = json.loads(content)
    if not isinstance(value, Mapping) or not isinstance(value.get("digest"), str):
        raise ValueError("it names no digest")
    return value["digest"], read_measured(value.get("measured"))


def tell_measured(measured: Measured) -> list[tuple[str, str]]:
    """Titles and texts for people: run time, peak memory, image size."""
    found = [("run time", _time(measured.milliseconds))]
    if measured.peak_memory_bytes is not None:
        found.append(("peak memory", _size(measured.peak_memory_bytes)))
    if measured.image_bytes is not None:
        found.append(("image", _size(measured.image_bytes)))
    return found


def _time(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 100 * size else f"{count / size:.0f} {unit}"
    return f"{count / 1000:.0f} kB"
