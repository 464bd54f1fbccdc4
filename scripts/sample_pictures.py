"""Draws the pictures of the samples that come with Windlass, from what their own scripts yield.

    .venv/bin/python scripts/sample_pictures.py [SAMPLE...]

Runs the scripts of each as its workflow does, with the defaults of its parameters, and draws the metrics
and models that they leave into samples/windlass_samples/SAMPLE/picture.svg. The same files give the same
pictures.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "windlass_samples"
WIDTH, HEIGHT = 480, 240
STYLE = """text{font:500 17px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#59636e}
.t{fill:#1f2328;font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}
.g{stroke:#d8dee4;fill:none}.d{stroke-dasharray:5 5}.k{fill:#eaeef2}
.a{fill:#0969da}.b{fill:#bc4c00}.c{fill:#1a7f37}.n{fill:#8c959f}
.la{stroke:#0969da}.lb{stroke:#bc4c00}.lc{stroke:#1a7f37}.lr{stroke:#cf222e}.ln{stroke:#8c959f}
.la,.lb,.lc,.lr,.ln{fill:none;stroke-width:2.5;stroke-linejoin:round}.o{fill-opacity:.65}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.t{fill:#e6edf3}.g{stroke:#30363d}.k{fill:#21262d}
.a{fill:#58a6ff}.b{fill:#f0883e}.c{fill:#3fb950}.n{fill:#6e7681}
.la{stroke:#58a6ff}.lb{stroke:#f0883e}.lc{stroke:#3fb950}.lr{stroke:#f85149}.ln{stroke:#6e7681}}"""


class Bench:
    """One sample's scripts, run in a folder of their own."""

    def __init__(self, sample: str, folder: Path) -> None:
        self.files = SAMPLES / sample / "files"
        self.folder = folder

    def run(
        self, script: str, *words: str | Path, **variables: str
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The metrics and the outputs of one call."""
        metrics, outputs = self.folder / "metrics", self.folder / "outputs"
        metrics.write_text("")
        outputs.write_text("")
        places = {"WINDLASS_METRICS": str(metrics), "GITHUB_OUTPUT": str(outputs)}
        subprocess.run(
            [sys.executable, "-B", self.files / script, *words],
            env={**os.environ, **places, **variables},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        said = [json.loads(line) for line in metrics.read_text().splitlines()]
        return said, dict(line.split("=", 1) for line in outputs.read_text().splitlines())

    def load(self, path: str) -> Any:
        """A JSON file that a script left."""
        return json.loads((self.folder / path).read_text())

    def module(self, name: str) -> Any:
        """A module of the sample's own."""
        sys.path.insert(0, str(self.files))
        sys.dont_write_bytecode = True
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(self.files))


def classify(bench: Bench) -> Iterable[str]:
    """Twelve unseen digits with what is read, beside the accuracy after each pass."""
    said, _ = bench.run("train.py", "--epochs", "12", "--rate", "0.1", "--out", bench.folder / "model")
    right = [one["value"] for one in said if one["name"] == "accuracy"]
    weights = bench.load("model/model.json")["weights"]
    digits = bench.module("digits")
    squares: list[tuple[int, int, float]] = []
    for place, (points, digit) in enumerate(digits.split(digits.load())[1][:12]):
        sums = [sum(w * p for w, p in zip(row, points, strict=False)) + row[-1] for row in weights]
        read = sums.index(max(sums))
        x, y = 14 + place % 4 * 52, 12 + place // 4 * 74
        yield f'<rect class="k" x="{x}" y="{y}" width="48" height="48" rx="4"/>'
        squares += [(x + n % 8 * 6, y + n // 8 * 6, point) for n, point in enumerate(points)]
        yield text(x + 24, y + 66, str(read), "t m" if read == digit else "b m")
    yield from _inked(squares)
    yield from _curve(right, 258, 466, low=0.8)
    yield text(258, 28, f"{right[-1]:.0%} read right", "t")
    yield text(466, 224, f"{len(right)} passes", "e")


def _inked(squares: Sequence[tuple[int, int, float]]) -> Iterable[str]:
    """Squares of six points with how dark each is: a path for each eighth of darkness."""
    for eighth in range(1, 9):
        path = "".join(f"M{x} {y}h6v6h-6z" for x, y, dark in squares if round(dark * 8) == eighth)
        if path:
            yield f'<path class="a" fill-opacity="{eighth / 8:g}" d="{path}"/>'


def _curve(values: Sequence[float], left: int, right: int, *, low: float) -> Iterable[str]:
    top, bottom = 48, 200
    for share in (low, (low + 1) / 2, 1.0):
        y = bottom - (share - low) / (1 - low) * (bottom - top)
        yield f'<path class="g" d="M{left} {y:g}H{right - 48}"/>{text(right, y + 6, f"{share:.0%}", "e")}'
    step = (right - 60 - left) / (len(values) - 1)
    spots = [
        (left + 4 + n * step, bottom - (v - low) / (1 - low) * (bottom - top)) for n, v in enumerate(values)
    ]
    yield line(spots, "la")
    yield from (f'<circle class="a" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in spots)


def regress(bench: Bench) -> Iterable[str]:
    """What was measured against what was predicted, and the error beside its limit."""
    said, _ = bench.run("fit.py", "--folds", "5", "--out", bench.folder / "model")
    error = next(one["value"] for one in said if one["name"] == "rmse")
    model = bench.load("model/model.json")
    people, ridge = bench.module("people"), bench.module("ridge")
    left, top, size, most = 34, 10, 200, 360

    def place(value: float) -> float:
        return min(value, most) / most * size

    yield f'<rect class="k" x="{left}" y="{top}" width="{size}" height="{size}" rx="6"/>'
    yield f'<path class="ln d" d="M{left} {top + size}l{size} -{size}"/>'
    for row, outcome in people.split(people.load()[1])[1]:
        x, y = left + place(outcome), top + size - place(ridge.predict(model, row))
        yield f'<circle class="a o" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    yield text(left + size / 2, 230, "measured", "m")
    yield f'<text class="m" transform="translate(24 {top + size / 2}) rotate(-90)">predicted</text>'
    guessing = _spread([outcome for _, outcome in people.split(people.load()[1])[1]])
    yield text(264, 30, "error", "t")
    for y, name, value, colour in ((52, "this model", error, "c"), (112, "guessing", guessing, "n")):
        yield f'<rect class="{colour}" x="264" y="{y}" width="{value * 2:.1f}" height="24" rx="4"/>'
        yield text(264, y + 42, name)
        yield text(466, y + 18, f"{value:.1f}", "t e")
    yield f'<path class="lr d" d="M{264 + 110} 44V{44 + 108}"/>{text(264, 200, "limit: 55", "t")}'
    yield text(264, 224, "the check passes")


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)


def sweep(bench: Bench) -> Iterable[str]:
    """The scores of the six forests; the best one stands out."""
    scores: dict[str, str] = {}
    sizes = [(trees, depth) for trees in (1, 6, 18) for depth in (2, 5)]
    for trees, depth in sizes:
        scores |= bench.run("score.py", "--trees", str(trees), "--depth", str(depth))[1]
    said, _ = bench.run("best.py", "--out", bench.folder / "model", SCORES=json.dumps(scores))
    right = next(one["value"] for one in said if one["name"] == "accuracy")
    card = bench.load("model/card.json")
    low, high, top, bottom = 0.87, 0.96, 50, 178
    yield text(14, 28, f"best: {card['trees']} trees, {card['depth']} deep", "t")
    yield text(466, 28, f"{right:.0%} of unseen cases", "e")
    for number, (trees, depth) in enumerate(sizes):
        score = float(scores[f"t{trees}-d{depth}"])
        x, y = 18 + number * 76, bottom - (score - low) / (high - low) * (bottom - top - 22)
        colour = "c" if (trees, depth) == (card["trees"], card["depth"]) else "n"
        yield f'<rect class="{colour}" x="{x}" y="{y:.1f}" width="64" height="{bottom - y:.1f}" rx="4"/>'
        yield text(x + 32, y - 8, f"{score:.1%}", "t m" if colour == "c" else "m")
        yield text(x + 32, bottom + 22, f"{trees} tree{'s' if trees > 1 else ''}", "m")
        yield text(x + 32, bottom + 44, f"{depth} deep", "m")
    yield f'<path class="g" d="M14 {bottom}H466"/>'


def finetune(bench: Bench) -> Iterable[str]:
    """Letters straight and crooked, and how many of the crooked ones each network reads."""
    models = bench.folder / "models"
    bench.run("pretrain.py", "--epochs", "6", "--out", models / "before")
    bench.run("learn.py", "--examples", "2", "--out", models / "scratch")
    start = models / "before" / "network.json"
    bench.run("learn.py", "--from", start, "--examples", "2", "--out", models / "finetuned")
    said, _ = bench.run("evaluate.py", "--models", models)
    found = {one["name"]: one["value"] for one in said}
    letters = bench.module("letters")
    squares: list[tuple[int, int, float]] = []
    for crooked, y, title in ((False, 14, "plenty of these"), (True, 128, "two of each of these")):
        drawn = sorted(letters.draw(1, crooked=crooked, seed=4), key=lambda one: one[1])
        for place, (points, _) in enumerate(drawn[number] for number in (0, 6, 17)):
            x = 14 + place * 62
            yield f'<rect class="k" x="{x}" y="{y}" width="56" height="56" rx="4"/>'
            squares += [
                (x + 1 + n % letters.WIDTH * 6, y + 7 + n // letters.WIDTH * 6, point)
                for n, point in enumerate(points)
            ]
        yield text(14, y + 78, title)
    yield from _inked(squares)
    yield text(222, 28, "crooked letters read", "t")
    rows = (("fine-tuned", "finetuned", "c"), ("from nothing", "scratch", "n"), ("before", "before", "n"))
    for place, (title, name, colour) in enumerate(rows):
        y = 52 + place * 64
        yield f'<rect class="k" x="222" y="{y}" width="180" height="22" rx="4"/>'
        yield f'<rect class="{colour}" x="222" y="{y}" width="{found[name] * 180:.1f}" height="22" rx="4"/>'
        yield text(466, y + 17, f"{found[name]:.0%}", "t e")
        yield text(222, y + 40, title)


def retrain(bench: Bench) -> Iterable[str]:
    """Four weeks of rides, and what both models say of the last, which they have not seen."""
    data, models = bench.folder / "data", bench.folder / "models"
    bench.run("collect.py", "--day", "2026-03-02", "--weeks", "60", "--out", data)
    for name, weeks in (("new", "1"), ("before", "2")):
        bench.run("train.py", "--data", data, "--hold-back", weeks, "--out", models / name)
    said, _ = bench.run("compare.py", "--data", data, "--models", models, "--out", bench.folder / "best")
    errors = {one["name"]: one["value"] for one in said}
    with (data / "rides.csv").open(newline="") as stream:
        rides = [float(row["rides"]) for row in csv.DictReader(stream)][-28:]
    top, bottom, step = 44, 196, 16.9
    low, high = min(rides) * 0.96, max(rides) * 1.02

    def spots(values: Sequence[float], first: int) -> list[tuple[float, float]]:
        return [
            (8 + (first + n) * step, bottom - (v - low) / (high - low) * (bottom - top))
            for n, v in enumerate(values)
        ]

    yield f'<rect class="k" x="{8 + 20.5 * step:g}" y="36" width="{7 * step:g}" height="168" rx="6"/>'
    yield line(spots(rides, 0), "ln")
    for name, colour in (("before", "lb d"), ("new", "la")):
        model = bench.load(f"models/{name}/model.json")
        yield line(spots([model["level"] * each for each in model["rhythm"]], 21), colour)
    yield text(14, 24, "rides a day", "t")
    yield text(466, 24, "the week that neither saw", "e")
    yield text(14, 229, f"new: {errors['error']:.0f} off", "a")
    yield text(240, 229, f"before: {errors['error_before']:.0f} off", "b m")
    better = "new" if errors["error"] < errors["error_before"] else "before"
    yield text(466, 229, f"kept: {better}", "t e")


def ship(bench: Bench) -> Iterable[str]:
    """The wines that the model never saw, told apart, and the way to service."""
    bench.run("train.py", "--out", bench.folder / "model")
    model_file = bench.folder / "model" / "model.json"
    said, _ = bench.run("evaluate.py", "--model", model_file)
    bench.run("deploy.py", "--model", model_file, "--to", bench.folder / "site")
    answer = bench.load("answer")
    wines, bayes = bench.module("wines"), bench.module("bayes")
    model = bench.load("model/model.json")["growers"]
    names, _, unseen = wines.load()
    x_at, y_at = names.index("flavanoids"), names.index("colour")
    colours = dict(zip(sorted(model), "abc", strict=True))
    yield '<rect class="k" x="14" y="10" width="226" height="194" rx="6"/>'
    for values, grower in unseen:
        x, y = 20 + values[x_at] / 5.2 * 214, 198 - values[y_at] / 13.5 * 182
        told = bayes.predict(model, values)
        yield f'<circle class="{colours[told]} o" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        if told != grower:
            yield f'<circle class="lr" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
    yield text(127, 230, "three growers, told apart", "m")
    steps = (
        ("evaluate", f"{said[0]['value']:.1%} right"),
        ("ask", "approved"),
        ("deploy", f"answers “{answer['grower']}”"),
    )
    for place, (title, what) in enumerate(steps):
        y = 44 + place * 72
        if place:
            yield f'<path class="ln" d="M276 {y - 52}V{y - 20}"/>'
        yield f'<circle class="c" cx="276" cy="{y}" r="13"/><path class="tick" d="M270 {y}l4.5 4.5 8 -9"/>'
        yield text(302, y - 3, title, "t")
        yield text(302, y + 18, what)


def text(x: float, y: float, words: str, style: str = "") -> str:
    """A line of text."""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:g}" y="{y:g}">{words}</text>'


def line(spots: Sequence[tuple[float, float]], style: str) -> str:
    """A line through places."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    return f'<path class="{style}" d="M{path}"/>'


def picture(parts: Iterable[str]) -> str:
    """The whole file."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
    tick = ".tick{stroke:#fff;stroke-width:2.5;fill:none}"
    return "\n".join((head, f"<style>{STYLE}{tick}</style>", *parts, "</svg>")) + "\n"


DRAWN: dict[str, Callable[[Bench], Iterable[str]]] = {
    each.__name__: each for each in (classify, finetune, regress, retrain, ship, sweep)
}


def draw(sample: str) -> str:
    """The picture of a sample."""
    with tempfile.TemporaryDirectory() as folder:
        return picture(DRAWN[sample](Bench(sample, Path(folder))))


if __name__ == "__main__":
    for name in sys.argv[1:] or DRAWN:
        (SAMPLES / name / "picture.svg").write_text(draw(name), encoding="utf-8")
        print(f"drew {name}")
