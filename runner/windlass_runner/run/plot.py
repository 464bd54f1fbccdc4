"""A metric's course as a small line chart: SVG that reads well on light and on dark. Pure.

Called by `web.plots`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from windlass_runner.run.check_markdown import plain
from windlass_runner.run.check_title import number_text
from windlass_runner.run.courses import Point

_WIDTH, _HEIGHT = 480, 220
_TOP, _RIGHT, _BOTTOM = 38, 16, 28
_LETTER: Final = 6.4
"""About how wide a digit is, in the units of the picture."""
_NAME_LIMIT: Final = 40
_PARTS: Final = 150
"""Of a long course the least and the greatest value of so many parts are drawn."""
_LARGEST: Final = 1e300
_GREY, _LINE = "#7d8590", "#2f81f7"


def plot_svg(name: str, points: Sequence[Point]) -> str:
    """A picture of 480 x 220 and less than 20 kB. Without steps the points are counted from 1."""
    course = _course(points)
    low, high = _bounds([y for _, y in course])
    rows = _ticks(low, high, about=5)
    left = 16 + _LETTER * max((len(text) for _, text in rows), default=1)
    first, last = (course[0][0], course[-1][0]) if course else (0.0, 0.0)
    last = max(last, first + 1, first + abs(first) * 1e-9)
    columns = _ticks(first, last, about=6, least=1.0) if course else []
    at_x = _scale(first, last, left, _WIDTH - _RIGHT)
    at_y = _scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        *(_row(at_y(value), text, left) for value, text in rows),
        *(_column(at_x(value), text) for value, text in columns),
    ]
    if course:
        drawn = [(at_x(x), at_y(y)) for x, y in _thinned(course)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"'
            ' stroke-linejoin="round" stroke-linecap="round"/>'
        )
        parts.append(f'<circle cx="{drawn[-1][0]:.1f}" cy="{drawn[-1][1]:.1f}" r="3.5" fill="{_LINE}"/>')
    return _picture(name, number_text(points[-1].value) if points else "no values", parts)


def _picture(name: str, last: str, parts: Sequence[str]) -> str:
    title = escape(plain(name, _NAME_LIMIT))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
        f' viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" fill="{_GREY}" font-size="11"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
        f"<title>{title}: {escape(last)}</title>\n"
        f'<text x="8" y="20" font-size="13" font-weight="600">{title}</text>\n'
        f'<text x="{_WIDTH - _RIGHT}" y="20" font-size="13" font-weight="600" fill="{_LINE}"'
        f' text-anchor="end">{escape(last)}</text>\n{body}\n</svg>\n'
    )


def _row(y: float, text: str, left: float) -> str:
    return (
        f'<path d="M{left:.1f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GREY}" stroke-opacity=".3"/>'
        f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _column(x: float, text: str) -> str:
    foot = _HEIGHT - _BOTTOM
    return (
        f'<path d="M{x:.1f} {foot}v4" stroke="{_GREY}"/>'
        f'<text x="{x:.1f}" y="{foot + 17}" text-anchor="middle">{text}</text>'
    )


def _course(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Where the points lie, from left to right."""
    has_steps = all(point.step is not None for point in points)
    placed = [
        (_drawable(point.step or 0 if has_steps else at), _drawable(point.value))
        for at, point in enumerate(points, 1)
    ]
    return sorted(placed, key=lambda place: place[0])


def _drawable(number: float) -> float:
    """So that no difference is too large to be reckoned with."""
    return float(max(-_LARGEST, min(number, _LARGEST)))


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-12:  # it does not change, or by less than can be drawn
        room = size / 10 or 1.0
        return low - room, high + room
    return low, high


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _ticks(low: float, high: float, *, about: int, least: float = 0.0) -> list[tuple[float, str]]:
    """Round numbers between two others, with their texts."""
    raw = max((high - low) / about, least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(number * step, _tick_text(number * step, step)) for number in numbers]


def _tick_text(value: float, step: float) -> str:
    """With as many digits as tell it from its neighbours."""
    size, decimals = abs(value), max(0, -math.floor(math.log10(step) + 1e-9))
    if size >= 1e9 or decimals > 6:
        return number_text(value, digits=max(1, math.ceil(math.log10(max(size / step, 1)) + 1)))
    if size >= 1e6 and step >= 1e3:
        return f"{number_text(value / 1e6)}M"
    if size >= 1e4 and step >= 10:
        return f"{number_text(value / 1e3)}k"
    return f"{value:.{decimals}f}".replace("-", "\u2212")


def _thinned(course: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(course) <= 2 * _PARTS:
        return course
    kept = [course[0]]
    for part in range(_PARTS):
        places = course[len(course) * part // _PARTS : len(course) * (part + 1) // _PARTS]
        ends = (min(places, key=lambda place: place[1]), max(places, key=lambda place: place[1]))
        kept += sorted(ends)
    return [*kept, course[-1]]
