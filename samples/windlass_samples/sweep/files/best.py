"""Grows the forest that scored best on all there is to learn from, and tests it on unseen cases."""

import argparse
import json
import os
from pathlib import Path

from cells import load
from forest import accuracy, grow, probability

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

scores = {name: float(score) for name, score in json.loads(os.environ["SCORES"]).items() if score}
sizes = {name: [int(part[1:]) for part in name.split("-")] for name in scores}  # t18-d5: 18 trees, 5 deep
best = min(scores, key=lambda name: (-scores[name], sizes[name]))  # of equals the smallest
trees, depth = sizes[best]

_, to_learn, to_test = load()
forest = grow(to_learn, trees, depth)
right = accuracy(forest, to_test)
missed = sum(probability(forest, row) >= 0.5 for row, benign in to_test if not benign)
print(f"best: {trees} trees, {depth} deep; {right:.1%} of {len(to_test)} unseen cases right, {missed} missed")

with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for name, value in (("accuracy", right), ("missed", missed)):
        metrics.write(json.dumps({"name": name, "value": value}) + "\n")
options.out.mkdir(parents=True, exist_ok=True)
(options.out / "forest.json").write_text(json.dumps(forest))
(options.out / "card.json").write_text(json.dumps({"trees": trees, "depth": depth, "accuracy": right}))

with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write("## Forests\n\n| trees | depth | cross-validated |\n|--:|--:|--:|\n")
    for name in sorted(scores, key=scores.get, reverse=True):
        mark = "**" if name == best else ""
        summary.write(f"| {sizes[name][0]} | {sizes[name][1]} | {mark}{scores[name]:.1%}{mark} |\n")
    summary.write(
        f"\n{trees} trees of depth {depth} get **{right:.1%}** of {len(to_test)} unseen cases right, "
    )
    summary.write(f"and take {missed} that are malignant for benign.\n")
