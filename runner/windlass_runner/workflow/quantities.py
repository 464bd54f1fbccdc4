"""Amounts as people write them: `40GB`, `512Mi`, `500m` of a CPU, `1h30m`. Pure."""

from __future__ import annotations

import re
from typing import Final

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?)b?\Z", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_CPU = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m?)\Z")
_DURATION = re.compile(
    r"(?:(?P<d>[0-9]+(?:\.[0-9]+)?)\s*d(?:ays?)?)?\s*"
    r"(?:(?P<h>[0-9]+(?:\.[0-9]+)?)\s*h(?:ours?)?)?\s*"
    r"(?:(?P<m>[0-9]+(?:\.[0-9]+)?)\s*m(?:in(?:utes?)?)?)?\s*"
    r"(?:(?P<s>[0-9]+(?:\.[0-9]+)?)\s*s(?:ec(?:onds?)?)?)?\Z"
)
_MILLISECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*ms\Z")
_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


def size_bytes(text: str) -> int | None:
    """`40GB` is 40 · 10⁹, `40GiB` (also `40Gi`) is 40 · 2³⁰, a bare number is bytes; None: not a size."""
    found = _SIZE.match(text.strip())
    if found is None or (found[3] and not found[2]):
        return None
    base = 1024 if found[3] else 1000
    return round(float(found[1]) * float(base ** _POWERS[found[2].lower()]))


def cpu_count(text: str) -> float | None:
    """`4`, `0.5`, or thousandths as Kubernetes writes them (`500m`); None: not a number of CPUs above 0."""
    found = _CPU.match(text.strip())
    if found is None:
        return None
    count = float(found[1]) / (1000 if found[2] else 1)
    return count if count > 0 else None


def duration_s(text: str) -> float | None:
    """`90`, `90s`, `5m`, `1h30m`, `2 days`, `500ms`, in seconds; None: not a length of time."""
    text = text.strip()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    if short := _MILLISECONDS.match(text):
        return float(short[1]) / 1000
    found = _DURATION.match(text) if text else None
    if found is None:
        return None
    return sum(float(amount) * _SECONDS[unit] for unit, amount in found.groupdict().items() if amount)
