"""Metrics that a job writes while it runs: a JSON-lines file, read as it grows, summed up, compared.

Each line is ``{"name": "loss", "value": 0.41, "step": 120}``; `step` may be left out. A line that is
not that is a warning and is passed over: a training run never fails over a figure.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from windlass_runner.data.trees import open_plain

_LINE_LIMIT: Final = 64 * 1024
_READ_LIMIT: Final = 4 * 1024 * 1024
_NAME_LIMIT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure. `step` is whatever the job counts in (None: it did not say)."""

    name: str
    value: float
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """What became of one metric: the last value, the extremes, how many there were."""

    last: float
    least: float
    greatest: float
    count: int
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMetrics:
    """What was added to a file since it was last read."""

    metrics: tuple[Metric, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_metric(line: str) -> Metric | str:
    """The metric of a line, or what is wrong with it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(found, dict):
        return 'not an object like {"name": "loss", "value": 0.41}'
    name, value, step = found.get("name"), found.get("value"), found.get("step")
    if not isinstance(name, str) or not name or len(name) > _NAME_LIMIT:
        return "'name' must be a text of 1 to 200 characters"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"'value' of '{name}' must be a number"
    if not _is_finite(value):
        return f"'{name}' is {value if isinstance(value, float) else 'too large'}, which is left out"
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
        return f"'step' of '{name}' must be a whole number"
    return Metric(name=name, value=float(value), step=step)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


class MetricsTail:
    """Reads a growing file from where it stopped. One thread. `offset` may be stored and given again."""

    def __init__(self, path: Path, *, offset: int = 0, line: int = 0) -> None:
        self._path = path
        self.offset = offset
        self._line = line

    def read_new(self, *, is_final: bool = False) -> NewMetrics:
        """The whole lines added since the last call. With `is_final` also a last one without an end."""
        data = self._read()
        end = len(data) if is_final else data.rfind(b"\n") + 1
        if not end and len(data) >= _READ_LIMIT:
            end = len(data)
        self.offset += end
        metrics: list[Metric] = []
        warnings: list[str] = []
        for raw in data[:end].splitlines():
            self._line += 1
            text = raw[:_LINE_LIMIT].decode("utf-8", "replace").strip()
            found = parse_metric(text) if text else None
            if isinstance(found, Metric):
                metrics.append(found)
            elif found:
                warnings.append(f"line {self._line} of the metrics file: {found}")
        return NewMetrics(metrics=tuple(metrics), warnings=tuple(warnings))

    def _read(self) -> bytes:
        try:
            if os.lstat(self._path).st_size == self.offset:
                return b""
            found = open_plain(self._path)
        except OSError:
            return b""
        if found is None:
            return b""
        descriptor, size = found
        try:
            if size < self.offset:  # written anew, as by a second attempt of a script
                self.offset = self._line = 0
            return os.pread(descriptor, min(size - self.offset, _READ_LIMIT), self.offset)
        finally:
            os.close(descriptor)


def summarise(
    metrics: Iterable[Metric], before: Mapping[str, MetricSummary] | None = None
) -> dict[str, MetricSummary]:
    """One summary for each name, going on from `before`."""
    found = dict(before or {})
    for metric in metrics:
        old = found.get(metric.name)
        if old is None:
            found[metric.name] = MetricSummary(
                last=metric.value, least=metric.value, greatest=metric.value, count=1, step=metric.step
            )
            continue
        found[metric.name] = replace(
            old,
            last=metric.value,
            least=min(old.least, metric.value),
            greatest=max(old.greatest, metric.value),
            count=old.count + 1,
            step=metric.step if metric.step is not None else old.step,
        )
    return found
