"""Learns to tell ten handwritten digits apart, by softmax regression. Needs nothing but Python."""

import argparse
import json
import math
import os
import random
from operator import mul
from pathlib import Path

from digits import load, split


def scores(weights, points):
    """How much the points look like each digit: ten probabilities."""
    sums = [sum(map(mul, row, points)) + row[-1] for row in weights]
    highest = max(sums)
    parts = [math.exp(each - highest) for each in sums]
    total = sum(parts)
    return [part / total for part in parts]


def learn(weights, digits, rate):
    """One pass over the digits; gives the mean loss."""
    loss = 0.0
    for points, digit in digits:
        found = scores(weights, points)
        loss -= math.log(max(found[digit], 1e-12))
        for number, row in enumerate(weights):
            step = rate * (found[number] - (number == digit))
            row[:-1] = [weight - step * point for weight, point in zip(row, points, strict=False)]
            row[-1] -= step
    return loss / len(digits)


def accuracy(weights, digits):
    """The share of digits that are read right."""
    right = 0
    for points, digit in digits:
        found = scores(weights, points)
        right += found.index(max(found)) == digit
    return right / len(digits)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--rate", type=float, default=0.1)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

to_learn, to_test = split(load())
weights = [[0.0] * 65 for _ in range(10)]
order = random.Random(1)
with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for epoch in range(1, options.epochs + 1):
        order.shuffle(to_learn)
        loss = learn(weights, to_learn, options.rate / epoch**0.5)
        right = accuracy(weights, to_test)
        print(
            f"epoch {epoch:>2}: loss {loss:.3f}, {right:.1%} of {len(to_test)} unseen digits are right",
            flush=True,
        )
        for name, value in (("loss", loss), ("accuracy", right)):
            metrics.write(json.dumps({"name": name, "value": value, "step": epoch}) + "\n")
        metrics.flush()

options.out.mkdir(parents=True, exist_ok=True)
(options.out / "model.json").write_text(json.dumps({"weights": weights, "accuracy": right}))
summary = (
    f"## Digits\n\n**{right:.1%}** of {len(to_test)} unseen digits are right after {options.epochs} epochs.\n"
)
Path(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull)).write_text(summary)
