"""The jobs of a workflow, or of an action, as a picture: in columns, each behind what it waits for. Pure."""

from __future__ import annotations

from typing import Final

from windlass_registry.samples.outline import OutlinedJob, layers
from windlass_registry.server.markup import Html, fill, join

_WIDTH: Final = 168
_HEIGHT: Final = 44
_GAP_X: Final = 56
_GAP_Y: Final = 18
_EDGE: Final = 12
_LONGEST: Final = 22


def graph_svg(jobs: tuple[OutlinedJob, ...]) -> Html:
    """The picture; nothing where there are no jobs. Its colours come from the page's style."""
    columns = layers(jobs)
    if not columns:
        return Html("")
    rows = max(map(len, columns))
    width = len(columns) * (_WIDTH + _GAP_X) - _GAP_X + 2 * _EDGE
    height = rows * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _EDGE
    places: dict[str, tuple[int, int]] = {}
    for column, inside in enumerate(columns):
        used = len(inside) * (_HEIGHT + _GAP_Y) - _GAP_Y
        top = (height - used) // 2
        for row, job in enumerate(inside):
            places[job.name] = (_EDGE + column * (_WIDTH + _GAP_X), top + row * (_HEIGHT + _GAP_Y))
    words = ", ".join(
        f"{job.name} after {' and '.join(job.needs)}" if job.needs else job.name for job in jobs
    )
    return fill(
        '<svg class="graph{wide}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        ' aria-label="{words}">{lines}{boxes}</svg>',
        wide=" wide" if len(columns) > 2 else "",
        width=width,
        height=height,
        words=f"Jobs: {words}",
        lines=join(
            _line(places[need], places[job.name]) for job in jobs for need in job.needs if need in places
        ),
        boxes=join(_box(job, *places[job.name]) for job in jobs),
    )


def _line(start: tuple[int, int], end: tuple[int, int]) -> Html:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    bend = _GAP_X // 2 if x2 > x1 else _WIDTH
    return fill(
        '<path d="M{x1} {y1} C{c1} {y1} {c2} {y2} {x2} {y2}"/>',
        x1=x1,
        y1=y1,
        c1=x1 + bend,
        c2=x2 - bend,
        x2=x2,
        y2=y2,
    )


def _box(job: OutlinedJob, x: int, y: int) -> Html:
    behind = fill(
        '<rect class="more" x="{x}" y="{y}" width="{w}" height="{h}" rx="7"/>',
        x=x + 4,
        y=y - 4,
        w=_WIDTH,
        h=_HEIGHT,
    )
    return fill(
        "<g>{behind}"
        '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="7"/><text x="{tx}" y="{t1}">{name}</text>'
        '<text class="what" x="{tx}" y="{t2}">{what}</text></g>',
        behind=behind if job.is_matrix else Html(""),
        x=x,
        y=y,
        w=_WIDTH,
        h=_HEIGHT,
        tx=x + 12,
        t1=y + (19 if job.what else 27),
        t2=y + 35,
        name=_short(job.name),
        what=_short(job.what),
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
