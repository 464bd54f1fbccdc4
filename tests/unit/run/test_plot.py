import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.run.courses import Point
from windlass_runner.run.plot import plot_svg

SVG = "{http://www.w3.org/2000/svg}"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def texts(svg: str) -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(svg).findall(f"{SVG}text")]


def drawn(svg: str) -> list[tuple[float, float]]:
    (line,) = ElementTree.fromstring(svg).findall(f"{SVG}polyline")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def course(*values: float, each: int = 1) -> list[Point]:
    return [Point(value=value, step=at * each) for at, value in enumerate(values)]


def test_it_has_the_name_the_last_value_and_round_ticks() -> None:
    svg = plot_svg("loss", course(2.0, 1.5, 1.0, 0.25, each=1000))
    assert texts(svg) == [
        "loss",
        "0.25",
        "0.5",
        "1.0",
        "1.5",
        "2.0",
        "0",
        "500",
        "1000",
        "1500",
        "2000",
        "2500",
        "3000",
    ]


def test_it_falls_where_the_values_fall() -> None:
    places = drawn(plot_svg("loss", course(3.0, 2.0, 1.0)))
    assert [x for x, _ in places] == sorted({x for x, _ in places})
    assert [y for _, y in places] == sorted({y for _, y in places})  # down is where y grows


@pytest.mark.parametrize(
    ("values", "some"),
    [
        ((0.1, 0.1), ["0.100", "0.105"]),
        ((0.0, 4e-7), ["1e\u221207", "4e\u221207"]),
        ((-20_000, 20_000), ["\u221220k", "0", "20k"]),
        ((0, 15_000_000), ["5M", "15M"]),
        ((1_000_000.0, 1_000_000.4), ["1000000.1", "1000000.4"]),
        ((3e12, 4e12), ["3.2e+12", "4e+12"]),
    ],
)
def test_ticks_can_be_told_apart(values: tuple[float, ...], some: list[str]) -> None:
    shown = texts(plot_svg("n", course(*values)))[2:]
    assert set(some) <= set(shown)
    rows = shown[: shown.index("0", 2) if "0" in shown[2:] else None]
    assert len(set(rows)) == len(rows)


def test_points_without_steps_are_counted() -> None:
    svg = plot_svg("loss", [Point(value=2.0, step=40), Point(value=1.0), Point(value=3.0)])
    assert texts(svg)[-3:] == ["1", "2", "3"]


def test_a_name_stays_a_text() -> None:
    svg = plot_svg("</text><script>&\x1b\ud800" + "x" * 300, course(1.0, 2.0))
    assert texts(svg)[0].startswith("</text><script>&")
    assert len(texts(svg)[0]) <= 40


@given(st.text(), st.lists(st.tuples(FINITE, st.none() | st.integers()), max_size=40))
def test_whatever_was_measured_is_drawn_inside_the_picture(
    name: str, points: list[tuple[float, int | None]]
) -> None:
    svg = plot_svg(name, [Point(value=value, step=step) for value, step in points])
    ElementTree.fromstring(svg)
    numbers = [float(found) for found in re.findall(r'(?:[xy12]|cx|cy)="(-?[\d.a-z]+)"', svg)]
    assert all(-1 <= number <= 481 for number in numbers)
    for x, y in drawn(svg) if points else []:
        assert 0 <= x <= 480
        assert 0 <= y <= 220


def test_a_long_course_stays_small_and_keeps_its_peaks() -> None:
    values = [float(at % 7) for at in range(50_000)]
    values[31_111] = 1000.0
    svg = plot_svg("loss", course(*values))
    assert len(svg.encode()) < 20_000
    assert min(y for _, y in drawn(svg)) == 38.0
