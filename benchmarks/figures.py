"""One measured figure beside its floor, a peer and its target, and the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a figure is compared with."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`bound` is what the target limits: a ratio, or the figure itself; `spread` is its least and most."""

    what: str
    unit: str
    ours: float
    floor: Beside | None = None
    peer: Beside | None = None
    bound: float
    bound_unit: str = ""
    spread: tuple[float, float] | None = None
    target: float | None = None
    """At most this; None: shown for comparison only."""
    detail: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.bound <= self.target

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_met": self.is_met}


_HEAD = ("what", "ours", "floor", "peer", "measured", "spread", "target", "")


def table(figures: Sequence[Figure]) -> str:
    """All figures as text, one row each, with what is beside them below."""
    rows = [_HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"  {figure.what}: {_note(figure)}" for figure in figures if _note(figure)]
    return "\n".join([*lines, "", *notes])


def _row(figure: Figure) -> tuple[str, ...]:
    def number(value: float, unit: str) -> str:
        return f"{value:.3g}{' ' if unit else ''}{unit}" if abs(value) < 1000 else f"{value:.0f} {unit}"

    spread = f"{figure.spread[0]:.3g}–{figure.spread[1]:.3g}" if figure.spread else ""
    verdict = {True: "met", False: "NOT MET", None: ""}[figure.is_met]
    return (
        figure.what,
        number(figure.ours, figure.unit),
        number(figure.floor.value, figure.unit) if figure.floor else "",
        number(figure.peer.value, figure.unit) if figure.peer else "",
        number(figure.bound, figure.bound_unit),
        spread,
        f"≤ {figure.target:g}{' ' if figure.bound_unit else ''}{figure.bound_unit}"
        if figure.target is not None
        else "",
        verdict,
    )


def _note(figure: Figure) -> str:
    parts = []
    if figure.floor:
        parts.append(f"floor: {figure.floor.name}")
    if figure.peer:
        parts.append(f"peer: {figure.peer.name}")
    if figure.detail:
        parts.append(figure.detail)
    return "; ".join(parts)
