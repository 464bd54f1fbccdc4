"""Scores one kind of forest by cross-validation: a metric for each part, the mean as the output."""

import argparse
import json
import os

from cells import load
from forest import accuracy, grow

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--trees", type=int, required=True)
parser.add_argument("--depth", type=int, required=True)
parser.add_argument("--folds", type=int, default=3)
options = parser.parse_args()

_, cases, _ = load()
scores = []
with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for fold in range(options.folds):
        others = [case for number, case in enumerate(cases) if number % options.folds != fold]
        forest = grow(others, options.trees, options.depth, seed=fold)
        scores.append(accuracy(forest, cases[fold :: options.folds]))
        print(f"part {fold + 1} of {options.folds}: {scores[-1]:.1%} right", flush=True)
        metrics.write(json.dumps({"name": "accuracy", "value": scores[-1], "step": fold + 1}) + "\n")

with open(os.environ.get("GITHUB_OUTPUT", os.devnull), "a") as outputs:
    outputs.write(f"t{options.trees}-d{options.depth}={sum(scores) / len(scores):.4f}\n")
